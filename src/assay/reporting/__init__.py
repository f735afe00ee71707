"""How a report is written: what is found, the words for it, and the page that shows it."""
