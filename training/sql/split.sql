-- Each row with the part it belongs to, or the reason why it is in none.
-- The first half of the key decides the part, by thresholds: a new row never moves an old one, and no normal
-- form is on both sides. The second half decides who goes when a label has more rows than its quota.
WITH tested AS (
    SELECT DISTINCT key AS tested_key
    FROM flagged
    WHERE origin = 'test' AND excluded_as IS NULL
),
placed AS (
    SELECT
        flagged.*,
        CASE
            WHEN excluded_as IS NOT NULL THEN concat('excluded: ', excluded_as)
            WHEN origin = 'test' THEN 'test'
            WHEN tested_key IS NOT NULL THEN 'also in the test data'
            WHEN key < settings.test_below THEN 'test'
            WHEN key < settings.validation_below THEN 'validation'
            ELSE 'train'
        END AS place
    FROM flagged
    LEFT JOIN tested ON flagged.key = tested.tested_key
    CROSS JOIN settings
)
SELECT
    placed.origin,
    placed.row_id,
    placed.text,
    placed.key,
    placed.label,
    placed.stars,
    placed.flags,
    CASE
        WHEN placed.place = 'train' AND substr(placed.key, 17) >= quota.below THEN 'over the quota of its label'
        ELSE placed.place
    END AS part
FROM placed
INNER JOIN quota ON placed.label = quota.label
