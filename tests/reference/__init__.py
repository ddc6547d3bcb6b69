"""The slow, obvious reading of CONTRACT.md that the real engine is compared with: dictionaries, row by row, no SQL.

Nothing here comes from the program under test: a mistake shared by both would stay unseen. Where the contract leaves
room, this is how it is read here:

- Rounds are joint over all elements. Round one has every record whose key could be read and that is not damaged as a
  whole: copies of one key, records with value errors and records of keys made by hand take part in it with what could
  be read of them, and are rejected at its end. What several copies of a key say is true of the key in any of them.
- A damaged record that shows its key is named, and a copy of that key; nothing else of it is judged.
- Removals are of managed records only, also in the first round. A refusal that takes away its own reason is
  taken back, once for each unit: else the same set would remove the unit the next time (law 4).
- Records left out by `create` or `update` say nothing: no link of theirs is judged. The state of somebody who returns
  is lifted under `update = false`, too, and an explicit `suspended` wins even then.
- A default is for a new record that says nothing, or nothing usable; a cell that erases says something.
- Nobody complains of a link that stands already.
- Whom the feed suspended has gone: they do not keep a unit from being hidden, only from being deleted.
- Of a key that is there twice nobody goes, and no link makes a circle, also not in the first round.
- Any link in the job of somebody deleted counts for cycles: the row is there.
- A mended file removes nobody: `deleted` is true without effect in it.
"""

from .engine import sync
from .model import CustomField, Finding, Outcome, Policy, Site, Zone, severity

__all__ = ["CustomField", "Finding", "Outcome", "Policy", "Site", "Zone", "severity", "sync"]
