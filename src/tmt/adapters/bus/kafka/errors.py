"""The codes of the bus between processes."""

from __future__ import annotations

from typing import Final

ERROR_CODES: Final = {
    "TMT-B002": "The brokers do not answer, or refuse. See that Kafka runs and that bus.bootstrap names it. Nothing is "
    "lost: the log holds everything, and the desk goes on when they are back.",
    "TMT-B003": "The brokers have taken nothing for half a minute, and what may wait for them is full. See that Kafka "
    "runs and has room on its disk.",
    "TMT-B004": "An agent has not answered within bus.patience_seconds, though asked again and again, or within "
    "bus.urgent_patience_milliseconds while an emergency stop waited. It counts as lost: what it would have to approve "
    "is denied. See that `tmt agent run NAME` runs and what it says; it is asked again once it answers.",
    "TMT-L014": "An agent heard another message at a position of the log than before: the log was replaced, or "
    "somebody else writes to the desk's topics. Start the agent again: it reads the log anew.",
    "TMT-M002": "A record on a topic is no logged message, or does not follow from the log. It goes to the dead "
    "letters (`tmt bus dead-letters`); what the log holds there is read from the log.",
    "TMT-M003": "An answer that nobody asked for, or that its agent may not give. It goes to the dead letters. Run the "
    "same version of the software everywhere.",
    "TMT-R008": "The name of an agent is not one of the eight, or was given twice.",
    "TMT-R009": "The log cannot be run again: it holds no session, or its sessions traded other instruments.",
}
"""Code -> meaning, for `tmt explain`."""
