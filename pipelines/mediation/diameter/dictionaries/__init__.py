"""What AVPs and commands are called, and how their values read: data, one page per specification."""
