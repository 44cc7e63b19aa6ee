"""The page as an illustrator sees it: a real browser presses the real buttons."""
