"""A call on its way into the tracker: as it was given, in progress, one of many, of the whole process."""
