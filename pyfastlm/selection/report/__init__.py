"""The report of a study: a page with pictures, or Markdown."""
