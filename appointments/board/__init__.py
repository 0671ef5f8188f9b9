"""One day as the front desk sees it: who works when, what stands where, and where something fits."""

from appointments.board.parts import ICONS, Aim, Block, Board, Column, Start
from appointments.board.reading import read
from appointments.board.wall import STEP, Span, Wall, in_lanes, merged, quarters, without

__all__ = [
    "ICONS",
    "STEP",
    "Aim",
    "Block",
    "Board",
    "Column",
    "Span",
    "Start",
    "Wall",
    "in_lanes",
    "merged",
    "quarters",
    "read",
    "without",
]
