"""The roof: wires storage, models and widgets together; nothing imports it."""
