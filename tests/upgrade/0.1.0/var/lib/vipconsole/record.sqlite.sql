PRAGMA auto_vacuum = 2;
PRAGMA user_version = 2;
BEGIN TRANSACTION;
CREATE TABLE baselines (cluster TEXT PRIMARY KEY, baseline TEXT NOT NULL) WITHOUT ROWID;
INSERT INTO "baselines" VALUES('4ur9hgns31ufr0gp8yw10jxd7','{"services":{"2vk7ihccjmmg186lusst9uo20":["traefik_app","traefik",21,"d169e8185f4ed27d","busybox:1.36",1,"",["le6izrju8iykg9jy0stvqtikf"]],"005p5poj7zsi8nekbm2ayvbub":["drone_app","drone",22,"24a0d2bc7b3fd875","drone/drone:2",1,"",["le6izrju8iykg9jy0stvqtikf"]],"bvw07bzsc7ouxcvohz8q36w7r":["bridge_app","bridge",23,"8449fbafdad880e0","busybox:1.36",1,"",["le6izrju8iykg9jy0stvqtikf"]]},"networks":{"le6izrju8iykg9jy0stvqtikf":["proxy",""]},"allocator":["4ur9hgns31ufr0gp8yw10jxd7","f17fh887ga0ukn6zu4bppxfto","f17fh887ga0ukn6zu4bppxfto","2026-11-30T17:30:16.748525+00:00",""],"rebuilt_at":null,"findings":[],"failing":{},"leaks":[],"outlived":[],"live":[],"allocator_key":"f17fh887ga0ukn6zu4bppxfto 2026-11-30 17:30:16.748525+00:00","logged_at":null,"logged_hours":{}}');
CREATE TABLE counts (
  cluster TEXT NOT NULL, hour INTEGER NOT NULL, signature TEXT NOT NULL, count INTEGER NOT NULL,
  PRIMARY KEY (cluster, hour, signature)
) WITHOUT ROWID;
CREATE TABLE events (
  cluster TEXT NOT NULL, at INTEGER NOT NULL, kind TEXT NOT NULL, subject TEXT NOT NULL, sentence TEXT NOT NULL,
  network TEXT NOT NULL, stack TEXT NOT NULL, severity TEXT NOT NULL, is_end INTEGER NOT NULL,
  addresses INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (cluster, at, kind, subject, sentence, network, is_end)
) WITHOUT ROWID;
INSERT INTO "events" VALUES('4ur9hgns31ufr0gp8yw10jxd7',1796063423004006,'deploy','gone','Service gone was created.','','','ok',0,0);
INSERT INTO "events" VALUES('4ur9hgns31ufr0gp8yw10jxd7',1796063429068883,'removal','gone','Service gone was removed.','','','ok',0,0);
CREATE TABLE spans (
  cluster TEXT NOT NULL, began INTEGER NOT NULL, ended INTEGER NOT NULL,
  PRIMARY KEY (cluster, began)
) WITHOUT ROWID;
INSERT INTO "spans" VALUES('4ur9hgns31ufr0gp8yw10jxd7',1796063418283348,1796063434135229);
COMMIT;
