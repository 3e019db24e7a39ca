"""What users would write instead: the same month of telephony, rated by a script. None of them imports the product.

They are to be small and honest: each is what somebody who knows its tool would write for these very prices in an afternoon,
quick where that costs nothing, exact to the millionth like the catalog. They keep nothing, survive nothing and answer no
question afterwards.
"""
