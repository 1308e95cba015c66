"""What people take away: figures and documents, pure functions of a score."""

from reports.figures import (
    Score,
    figure_css,
    figure_view,
    headline,
    is_reading,
    matrix_csv,
    matrix_svg,
    matrix_table_html,
)

__all__ = [
    "Score",
    "figure_css",
    "figure_view",
    "headline",
    "is_reading",
    "matrix_csv",
    "matrix_svg",
    "matrix_table_html",
]
