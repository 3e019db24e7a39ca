"""Green Button (ESPI), meter data in Atom XML."""
