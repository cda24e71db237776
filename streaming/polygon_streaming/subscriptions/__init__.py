"""What the feed is to read: the list, where it lies, and its versions."""
