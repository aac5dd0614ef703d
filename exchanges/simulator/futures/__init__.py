"""The USD-M futures half of the simulator: paths under ``/fapi`` and its user stream."""
