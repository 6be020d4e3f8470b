"""A long answer with nothing in it that any rule looks for, and a little of what a careless proxy would change."""

from __future__ import annotations

ARTICLE = """\
# How a canal lock works

A boat that goes uphill needs stairs, and water makes no stairs by itself. It runs down whatever slope it finds, and it \
takes the boat along. So whoever wants to bring a canal over a hill has to cut the slope into steps: long, level reaches \
of still water, and between them short walls over which nothing flows. The lock is the door in such a wall. It is an old \
door; the one in use today, with two gates and a chamber between them, was built on the Grand Canal of China in the tenth \
century, and again in Italy four hundred years later, apparently without any news of the first.

## The chamber

Take a box of stone or brick, a little longer and a little wider than the boats that pass. Put gates at both ends, and in \
each gate (or in the wall beside it) a small sluice that can be opened by hand. That is all. There is no pump. What lifts \
the boat is the water of the upper reach, which wants to come down anyway, and which is let into the box for as long as it \
takes to fill it. A narrow chamber of 22 by 2.2 metres with a rise of 2.5 metres takes some 120 m³, and a good keeper \
fills it in about 3½ minutes: 120 ÷ 3.5 ≈ 34 m³ a minute.

Going up, the steps are these:

1. The lower gates stand open, and the chamber is as low as the lower reach. The boat comes in.
2. The lower gates are shut, and their sluices with them.
3. The upper sluices are opened, slowly at first. Water comes in from below the boat's keel, and it rises.
4. When both sides are level, and not before, the upper gates can be swung open. The boat goes out.

Going down, it is the same list from the end. A lock does not care for the direction; it cares that never, under any \
circumstances, both ends are open at once. "Only one gate at a time" is the whole of its safety, and it is kept not by a \
rule on a board but by the weight of the water: nobody can push open a gate against a metre of it.

## Mitre gates

The gates deserve a closer look. Two leaves meet in the middle, not in a straight line but in a blunt arrow that points \
upstream, at an angle of some 18° to 20°. The higher the water stands behind them, the harder they are pressed together. \
They need no bolt. Leonardo drew them so, in Milan, around 1490: the *conca* of San Marco, with a small wicket in each \
leaf. They have hardly changed since, except that oak has become steel, and the beam that the keeper leans on a hydraulic \
arm.

Smaller things have changed more. Old sluices were raised with a windlass, a crank that every boater carried in the belt, \
and lost in the canal. Engineers learnt to lead the water in through culverts along the whole floor, so that a boat is not \
thrown against the gate; to let two chambers share their water, so that half of it is used twice; and, at Neuwied, Niederfinow \
or Falkirk, to leave the water where it is, and to lift the boat in a trough.

## What it costs

Each passage lets one chamber of water down the hill. That is the price, and on a summit it is a high one: whoever builds \
a canal over a watershed must find, at the highest point, a brook that gives enough for every boat on both sides. The Canal \
du Midi brings it down from the Montagne Noire through 40 miles of channels. Riquet found it out by asking a well-digger — \
the story is told in Revel to this day — and the rest, he said, was masonry.

| Canal | Opened | Locks | Greatest rise |
|:--|--:|--:|--:|
| Naviglio Grande | 1439 | 5 | 2.4 m |
| Canal du Midi | 1681 | 91 | 9.4 m |
| Göta kanal | 1832 | 58 | 4.8 m |
| Panama | 1914 | 12 | 9.5 m |

A keeper's day can be written down as a small machine, and somebody always does:

```python
def admit(boat, chamber, reach):
    while not chamber.level == reach.level:
        chamber.sluices[reach].turn(1 / 8)      # slowly at first
    chamber.gates[reach].open()
    yield from boat.enter(chamber)              # \\o/
```

## Why it is still a good picture

People who build other things like to speak of locks: a place where something that comes with force is held for a moment, \
looked at, and let go at the level where it can do no harm. The picture holds further than they think. A lock that holds too \
long is a dam, and the boats will go round it. A lock that holds too little is a weir. The keeper's skill is not in stopping \
boats; it is in the short while between two gates, when all is quiet, the chamber fills, and those on deck look up and see \
the next reach of the canal come down to meet them.

Naïve as it sounds – “hold, level, release” – nobody has found a better one. 水到渠成, as they say along the oldest canal \
of all: where water comes, a channel forms. 🚤
"""
