"""Online charging over Diameter (Gy, Ro): requests of credit control as requests of the charging port."""
