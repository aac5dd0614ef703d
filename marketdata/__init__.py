"""What is known of markets: trading rules and last prices."""
