"""The generator: owns the device and turns jobs into pixels."""
