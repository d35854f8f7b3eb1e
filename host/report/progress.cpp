// Filled in by the report room.
