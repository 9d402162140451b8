//! One module per layer: its settings, its observed world, its changes, and the pure planner.
