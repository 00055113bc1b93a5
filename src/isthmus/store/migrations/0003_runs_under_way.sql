-- Runs under way are looked for every second, among all of the last ninety days.
CREATE INDEX runs_under_way ON runs (state) WHERE state IN ('running', 'watching', 'waiting');
