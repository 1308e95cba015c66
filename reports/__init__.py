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
from reports.sheets import (
    Section,
    data_sheet,
    data_sheet_pdf,
    data_sheet_title,
    qr_svg,
    waiting_sheet,
)

__all__ = [
    "Score",
    "Section",
    "data_sheet",
    "data_sheet_pdf",
    "data_sheet_title",
    "figure_css",
    "figure_view",
    "headline",
    "is_reading",
    "matrix_csv",
    "matrix_svg",
    "matrix_table_html",
    "qr_svg",
    "waiting_sheet",
]
