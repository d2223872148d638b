"""TFLite files as such: the schema and the reader, which importer, backend and reports share."""
