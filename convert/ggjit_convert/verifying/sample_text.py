"""A text of several kinds, a few hundred tokens long in most vocabularies."""

SAMPLE = """\
The lighthouse at the end of the pier had been dark for eleven years when the town council voted,
seven to four, to sell it. Nobody could say who had last climbed the stairs. The keeper's log, found
in a tin box under the lamp room, broke off in the middle of a sentence: "Wind north-west, sea
rising, and the boat from"

Water boils at 100 degrees Celsius at sea level, but at the top of a mountain 4,800 metres high it
boils at about 84 degrees, because the pressure of the air there is only 55 percent of what it is at
the coast. Pasta therefore takes longer to cook.

def mean(values):
    total = 0.0
    for value in values:
        total += value
    return total / len(values)

Question: A train leaves at 9:40 and arrives at 13:15. How long does the journey take?
Answer: From 9:40 to 13:40 would be four hours; 25 minutes less are 3 hours and 35 minutes.

Der Zug nach Hamburg fährt heute von Gleis 7 ab. Le musée est fermé le mardi. El perro duerme
debajo de la mesa.

{"name": "harbour", "depth": 12.5, "open": true, "ships": ["Aurora", "Nordwind"]}
"""
