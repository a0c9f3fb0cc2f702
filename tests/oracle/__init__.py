"""The same scenario played on Node.js and on uvnet: Node is the oracle for the order of events.

`language` says what a scenario is made of, `play.js` and `play.py` play it, `traces` compares what happened.
The scenarios are in the other modules.
"""
