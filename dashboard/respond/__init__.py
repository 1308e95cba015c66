"""The respondents' pages: light, by a link, without an account, with or without JavaScript."""

from dashboard.respond.render import warm
from dashboard.respond.routes import routes

__all__ = ["routes", "warm"]
