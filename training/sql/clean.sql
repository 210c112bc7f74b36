-- Silver: each text once for each label that it has, and the labels that contradict one another settled.
WITH once AS (
    SELECT
        origin,
        text,
        key,
        label,
        min(row_id) AS row_id,
        count(*) AS copies,
        -- What is no rating is for `validate` to show, in whichever copy it stands.
        min(CASE WHEN stars IS NULL THEN rating END) AS bad_rating,
        -- Stars only where all copies have the same.
        CASE WHEN min(stars) = max(stars) THEN min(stars) END AS stars
    FROM normalised
    WHERE dropped IS NULL
    GROUP BY origin, text, key, label
),
-- Few texts: only those that have more than one label.
disputed AS (
    SELECT origin, text, sum(copies) AS copies
    FROM once
    GROUP BY origin, text
    HAVING count(*) > 1
)
SELECT
    once.origin,
    once.row_id,
    once.text,
    once.key,
    once.label,
    once.bad_rating,
    once.stars,
    once.copies
FROM once
LEFT JOIN disputed ON once.origin = disputed.origin AND once.text = disputed.text
CROSS JOIN settings
WHERE
    disputed.copies IS NULL
    -- "ok" may well be meant either way.
    OR length(once.text) < settings.exempt_chars
    OR (settings.majority AND 2 * once.copies > disputed.copies)
