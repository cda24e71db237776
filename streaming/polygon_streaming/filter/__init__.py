"""The filter: raw events into clean records that pass the rules, exactly once."""
