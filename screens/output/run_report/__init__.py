"""The report of a run: its summary as text, the whole as Markdown, as one HTML file, and as JSON."""
