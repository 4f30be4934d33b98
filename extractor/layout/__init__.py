"""Layout: from placed words and drawn lines to reading order, blocks and tables. Pure geometry."""
