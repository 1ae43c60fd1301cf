"""HTTP servers on loopback that speak the outside world's protocols, strictly."""
