"""What the instructions of conditions and formulas are: rows of `Tariff.program`, an operation and up to three operands."""

from __future__ import annotations

INSTRUCTION_COLUMNS = 4
STACK_MAX = 64
"""Numbers that a program may hold at a time."""

OP_CONSTANT = 0
"""Push the number whose high and low 64 bits are the operands."""
OP_ATTRIBUTE = 1
"""Push the code in an attribute slot."""
OP_VALUE = 2
"""Push the value in a slot; it is absent also where its magnitude is above the second operand."""
OP_QUANTITY = 3
"""Push the quantity; absent where its magnitude is above the operand."""
OP_AT = 4
OP_COUNTED = 5
"""Push what the counter had before."""
OP_PRESENT = 6
"""Whether what was pushed is there."""
OP_SCALE = 7
"""Multiply by the operand."""
OP_ADD = 8
OP_SUBTRACT = 9
OP_MULTIPLY = 10
OP_DIVIDE = 11
"""Divide, the dividend times the first operand, the divisor times the second; halves go to the even neighbour."""
OP_NEGATE = 12
OP_STEP = 13
"""Multiply by the first operand, divide by the second, and round as the third says."""
OP_MIN = 14
OP_MAX = 15
OP_EQUAL = 16
OP_LESS = 17
OP_LESS_EQUAL = 18
OP_MEMBER = 19
"""Whether the number is among constants of `Tariff.program_set`: from the first operand on, as many as the second."""
OP_RANGE = 20
"""Whether the number is at least the first operand and below the second."""
OP_NOT = 21
OP_AND = 22
OP_OR = 23
OP_SELECT = 24
"""Of a truth and two numbers keep the first number where the truth holds, else the second."""

STEP_DOWN = 0
STEP_UP = 1
STEP_NEAREST = 2

STATE_SURE = 0
STATE_ABSENT = 1
STATE_ZERO_DIVISION = 2
STATE_OVERFLOW = 3
