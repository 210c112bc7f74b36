-- Which raw row each text of the test part comes from, in the order of that part. A folder of its own, as it
-- depends on the order of the raw rows, which the parts do not.
SELECT row_id
FROM split
WHERE part = 'test'
ORDER BY key, text, label
