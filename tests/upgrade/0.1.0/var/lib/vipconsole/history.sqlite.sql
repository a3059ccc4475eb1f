PRAGMA auto_vacuum = 0;
PRAGMA user_version = 1;
BEGIN TRANSACTION;
CREATE TABLE leaks (
  cluster TEXT NOT NULL, allocator TEXT NOT NULL, network TEXT NOT NULL, task TEXT NOT NULL, ended_at REAL NOT NULL,
  entry TEXT NOT NULL,
  PRIMARY KEY (cluster, allocator, network, task)
) WITHOUT ROWID;
CREATE TABLE points (
  cluster TEXT NOT NULL, network TEXT NOT NULL, series TEXT NOT NULL, at INTEGER NOT NULL, used INTEGER NOT NULL,
  PRIMARY KEY (cluster, network, series, at)
) WITHOUT ROWID;
INSERT INTO "points" VALUES('4ur9hgns31ufr0gp8yw10jxd7','alvuil18se6jpodfisieh11pz','e00c92b5a6a71108',1796063400,1);
INSERT INTO "points" VALUES('4ur9hgns31ufr0gp8yw10jxd7','le6izrju8iykg9jy0stvqtikf','f67bf8dfda9d2156',1796063400,7);
CREATE INDEX points_at ON points (at);
COMMIT;
