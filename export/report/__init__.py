"""Write REPORT.md, its figures and the model cards."""
