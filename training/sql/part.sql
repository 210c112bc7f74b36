-- One part, in an order that is as good as random and never changes.
SELECT text, label, key, stars, flags
FROM split
WHERE part = (SELECT name FROM wanted)
ORDER BY key, text, label
