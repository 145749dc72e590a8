BEGIN TRANSACTION;
CREATE TABLE calls (
	number INTEGER NOT NULL, 
	run INTEGER NOT NULL, 
	"key" TEXT NOT NULL, 
	said FLOAT NOT NULL, 
	written FLOAT NOT NULL, 
	line TEXT, 
	phone TEXT, 
	server TEXT, 
	since FLOAT, 
	until FLOAT, 
	body TEXT NOT NULL, 
	PRIMARY KEY (number), 
	CONSTRAINT calls_key UNIQUE (run, "key"), 
	FOREIGN KEY(run) REFERENCES runs (number) ON DELETE CASCADE
);
INSERT INTO "calls" VALUES(1,1,'895394e391e1cf7b17e79a350278eada',1.79534939840816593166e+09,1.79567597460105967516e+09,'sip:1001@pbx.example.com','10.1.0.11:5060','10.0.0.1:5060/udp',1.79534887724862694735e+09,1.79534888663485097887e+09,'{"from":1795348877.248627,"up":1795348878.634851,"until":1795348886.634851,"server":"10.0.0.1:5060/udp","tries":1}');
INSERT INTO "calls" VALUES(2,1,'cad986bd1f7120ea25c9593ccc6b19a4',1.79534939840816593166e+09,1.79567597460105967516e+09,'sip:1001@pbx.example.com','10.1.0.11:5060','10.0.0.1:5060/udp',1795348917.67448,1.79534892829110503194e+09,'{"from":1795348917.67448,"up":1795348920.291105,"until":1795348928.291105,"server":"10.0.0.1:5060/udp","tries":1}');
INSERT INTO "calls" VALUES(3,1,'6f6bb0cb65cdbef076bbfeac2e4fa368',1.79534939840816593166e+09,1.79567597460105967516e+09,'sip:1001@pbx.example.com','10.1.0.11:5060','10.0.0.2:5060/udp',1.79534896485779190064e+09,1.79534897905478405951e+09,'{"from":1795348964.857792,"up":1795348971.054784,"until":1795348979.054784,"server":"10.0.0.2:5060/udp","tries":2}');
INSERT INTO "calls" VALUES(4,1,'00231cc4437b3c5776d3702bb314cd36',1.79534939840816593166e+09,1.79567597460105967516e+09,'sip:1001@pbx.example.com','10.1.0.11:5060','10.0.0.2:5060/udp',1.79534902270623493198e+09,1.79534903323567199707e+09,'{"from":1795349022.706235,"up":1795349025.235672,"until":1795349033.235672,"server":"10.0.0.2:5060/udp","tries":1}');
INSERT INTO "calls" VALUES(5,1,'c3d92dac1decacc4bb25c61c8d6a99e3',1.79534939840816593166e+09,1.79567597460105967516e+09,'sip:1001@pbx.example.com','10.1.0.11:5060','10.0.0.2:5060/udp',1.79534910289913797378e+09,1.79534911554071307179e+09,'{"from":1795349102.899138,"up":1795349107.540713,"until":1795349115.540713,"server":"10.0.0.2:5060/udp","tries":2}');
INSERT INTO "calls" VALUES(6,1,'f0014a1e84248602620e3c0d226b165b',1.79534939840816593166e+09,1.79567597460105967516e+09,'sip:1001@pbx.example.com','10.1.0.11:5060','10.0.0.2:5060/udp',1.79534915694905591009e+09,1795349166.90649,'{"from":1795349156.949056,"up":1795349158.90649,"until":1795349166.90649,"server":"10.0.0.2:5060/udp","tries":1}');
INSERT INTO "calls" VALUES(7,1,'6480bac1c133a19d0b0d7c9d263c12c1',1.79534939840816593166e+09,1.79567597460105967516e+09,'sip:1001@pbx.example.com','10.1.0.11:5060','10.0.0.1:5060/udp',1.79534920630516195297e+09,1.79534921559747505186e+09,'{"from":1795349206.305162,"up":1795349207.597475,"until":1795349215.597475,"server":"10.0.0.1:5060/udp","tries":1}');
INSERT INTO "calls" VALUES(8,1,'5cdfae5ec7640a427d111552c8cee201',1.79534939840816593166e+09,1.79567597460105967516e+09,'sip:1001@pbx.example.com','10.1.0.11:5060','10.0.0.1:5060/udp',1.79534929575606107708e+09,1.79534930591421103482e+09,'{"from":1795349295.756061,"up":1795349297.914211,"until":1795349305.914211,"server":"10.0.0.1:5060/udp","tries":1}');
INSERT INTO "calls" VALUES(9,1,'254d920876fb8d411e0107078398f577',1.79534939840816593166e+09,1.79567597460105967516e+09,'sip:1001@pbx.example.com','10.1.0.11:5060','10.0.0.1:5060/udp',1.79534932626040911671e+09,1795349336.62789,'{"from":1795349326.260409,"up":1795349328.62789,"until":1795349336.62789,"server":"10.0.0.1:5060/udp","tries":1}');
INSERT INTO "calls" VALUES(10,1,'4f62a3d3b62c6485d93f115b1038ba8e',1.79534939840816593166e+09,1.79567597460105967516e+09,'sip:1001@pbx.example.com','10.1.0.11:5060','10.0.0.1:5060/udp',1.79534939828147196766e+09,NULL,'{"from":1795349398.281472,"up":null,"until":null,"server":"10.0.0.1:5060/udp","tries":1}');
INSERT INTO "calls" VALUES(11,1,'70222ae2d67e329492f26c6ea4a5e9dc',1.79534936881376790997e+09,1.79567597460105967516e+09,'sip:1002@pbx.example.com','10.1.0.12:5060','10.0.0.1:5060/udp',1.79534888351886391644e+09,1.79534889397068595884e+09,'{"from":1795348883.518864,"up":1795348885.970686,"until":1795348893.970686,"server":"10.0.0.1:5060/udp","tries":1}');
INSERT INTO "calls" VALUES(12,1,'6ddf320801dbb3a68ae0fbc5918139c3',1.79534936881376790997e+09,1.79567597460105967516e+09,'sip:1002@pbx.example.com','10.1.0.12:5060','10.0.0.1:5060/udp',1795348938.15793,1.79534894719841694836e+09,'{"from":1795348938.15793,"up":1795348939.198417,"until":1795348947.198417,"server":"10.0.0.1:5060/udp","tries":1}');
INSERT INTO "calls" VALUES(13,1,'da51c999d9f4abc1d66d9fd2e486c9d9',1.79534936881376790997e+09,1.79567597460105967516e+09,'sip:1002@pbx.example.com','10.1.0.12:5060','10.0.0.2:5060/udp',1.79534900595356702803e+09,1.79534902304876899719e+09,'{"from":1795349005.953567,"up":1795349015.048769,"until":1795349023.048769,"server":"10.0.0.2:5060/udp","tries":2}');
INSERT INTO "calls" VALUES(14,1,'0c41c6a6d29b2fd4e1788af7b90eb151',1.79534936881376790997e+09,1.79567597460105967516e+09,'sip:1002@pbx.example.com','10.1.0.12:5060','10.0.0.2:5060/udp',1.79534904461483311652e+09,1.79534905361098790169e+09,'{"from":1795349044.614833,"up":1795349045.610988,"until":1795349053.610988,"server":"10.0.0.2:5060/udp","tries":1}');
INSERT INTO "calls" VALUES(15,1,'b6d538a3965a38a756ab2b72f73e53a9',1.79534936881376790997e+09,1.79567597460105967516e+09,'sip:1002@pbx.example.com','10.1.0.12:5060','10.0.0.2:5060/udp',1.79534909503570604323e+09,1.79534911284795093539e+09,'{"from":1795349095.035706,"up":1795349104.847951,"until":1795349112.847951,"server":"10.0.0.2:5060/udp","tries":2}');
INSERT INTO "calls" VALUES(16,1,'434a1fa7d107b4d98b70a6130ed2b61e',1.79534936881376790997e+09,1.79567597460105967516e+09,'sip:1002@pbx.example.com','10.1.0.12:5060','10.0.0.1:5060/udp',1.7953491668843719959e+09,1.79534917744814610483e+09,'{"from":1795349166.884372,"up":1795349169.448146,"until":1795349177.448146,"server":"10.0.0.1:5060/udp","tries":1}');
INSERT INTO "calls" VALUES(17,1,'2502d214e094496804513d5074d5f10f',1.79534936881376790997e+09,1.79567597460105967516e+09,'sip:1002@pbx.example.com','10.1.0.12:5060','10.0.0.1:5060/udp',1.79534920812384700774e+09,1.79534921828380608557e+09,'{"from":1795349208.123847,"up":1795349210.283806,"until":1795349218.283806,"server":"10.0.0.1:5060/udp","tries":1}');
INSERT INTO "calls" VALUES(18,1,'2666b68a83937272f68b59cbe6d2ff1f',1.79534936881376790997e+09,1.79567597460105967516e+09,'sip:1002@pbx.example.com','10.1.0.12:5060','10.0.0.1:5060/udp',1795349239.52803,1.79534925017989397053e+09,'{"from":1795349239.52803,"up":1795349242.179894,"until":1795349250.179894,"server":"10.0.0.1:5060/udp","tries":1}');
INSERT INTO "calls" VALUES(19,1,'387796d18e896a138e9271aaad841024',1.79534936881376790997e+09,1.79567597460105967516e+09,'sip:1002@pbx.example.com','10.1.0.12:5060','10.0.0.1:5060/udp',1.79534929990358805649e+09,1.79534931015326690677e+09,'{"from":1795349299.903588,"up":1795349302.153267,"until":1795349310.153267,"server":"10.0.0.1:5060/udp","tries":1}');
INSERT INTO "calls" VALUES(20,1,'0382c460a7ab672c36e70b08008fdfd9',1.79534936881376790997e+09,1.79567597460105967516e+09,'sip:1002@pbx.example.com','10.1.0.12:5060','10.0.0.1:5060/udp',1.79534935946588802336e+09,1.79534936880732393267e+09,'{"from":1795349359.465888,"up":1795349360.807324,"until":1795349368.807324,"server":"10.0.0.1:5060/udp","tries":1}');
INSERT INTO "calls" VALUES(21,1,'4172e62d22cd772fb694269a7c935bfe',1.79534938530593705181e+09,1.79567597460105967516e+09,'sip:1003@pbx.example.com','10.1.0.13:5060','10.0.0.1:5060/udp',1.79534886933723902705e+09,1.79534887959826397899e+09,'{"from":1795348869.337239,"up":1795348871.598264,"until":1795348879.598264,"server":"10.0.0.1:5060/udp","tries":1}');
INSERT INTO "calls" VALUES(22,1,'943b9c3896709df00585703e36138962',1.79534938530593705181e+09,1.79567597460105967516e+09,'sip:1003@pbx.example.com','10.1.0.13:5060','10.0.0.1:5060/udp',1.795348935306718111e+09,1.7953489446946361065e+09,'{"from":1795348935.306718,"up":1795348936.694636,"until":1795348944.694636,"server":"10.0.0.1:5060/udp","tries":1}');
INSERT INTO "calls" VALUES(23,1,'ad1bb1b4df3f39b5b9e5a0855d1e705a',1.79534938530593705181e+09,1.79567597460105967516e+09,'sip:1003@pbx.example.com','10.1.0.13:5060','10.0.0.2:5060/udp',1.79534897902765202518e+09,1.79534899664151501659e+09,'{"from":1795348979.027652,"up":1795348988.641515,"until":1795348996.641515,"server":"10.0.0.2:5060/udp","tries":2}');
INSERT INTO "calls" VALUES(24,1,'37abfaef8b5bedc7d69f0130fb792a20',1.79534938530593705181e+09,1.79567597460105967516e+09,'sip:1003@pbx.example.com','10.1.0.13:5060','10.0.0.2:5060/udp',1.79534905915969800953e+09,1.79534907573568511011e+09,'{"from":1795349059.159698,"up":1795349067.735685,"until":1795349075.735685,"server":"10.0.0.2:5060/udp","tries":2}');
INSERT INTO "calls" VALUES(25,1,'1af3feee39e1267bf7a1a9fa731b470a',1.79534938530593705181e+09,1.79567597460105967516e+09,'sip:1003@pbx.example.com','10.1.0.13:5060','10.0.0.2:5060/udp',1.79534912430683398247e+09,1.79534913425829410552e+09,'{"from":1795349124.306834,"up":1795349126.258294,"until":1795349134.258294,"server":"10.0.0.2:5060/udp","tries":1}');
INSERT INTO "calls" VALUES(26,1,'149f725ff151eec7d8a8bcbac716f58d',1.79534938530593705181e+09,1.79567597460105967516e+09,'sip:1003@pbx.example.com','10.1.0.13:5060','10.0.0.1:5060/udp',1.79534917351711797712e+09,1.79534918252818703659e+09,'{"from":1795349173.517118,"up":1795349174.528187,"until":1795349182.528187,"server":"10.0.0.1:5060/udp","tries":1}');
INSERT INTO "calls" VALUES(27,1,'38ed3e69213a1d44286d45a077ceefb4',1.79534938530593705181e+09,1.79567597460105967516e+09,'sip:1003@pbx.example.com','10.1.0.13:5060','10.0.0.1:5060/udp',1.79534925103169393538e+09,1.79534926001695299148e+09,'{"from":1795349251.031694,"up":1795349252.016953,"until":1795349260.016953,"server":"10.0.0.1:5060/udp","tries":1}');
INSERT INTO "calls" VALUES(28,1,'995bfdf8ac8bcc63d3faf25320b71f66',1.79534938530593705181e+09,1.79567597460105967516e+09,'sip:1003@pbx.example.com','10.1.0.13:5060','10.0.0.1:5060/udp',1.79534932151558589931e+09,1.79534933053448510168e+09,'{"from":1795349321.515586,"up":1795349322.534485,"until":1795349330.534485,"server":"10.0.0.1:5060/udp","tries":1}');
INSERT INTO "calls" VALUES(29,1,'658062a8bbb355502a781ec08b8c762b',1.79534938530593705181e+09,1.79567597460105967516e+09,'sip:1003@pbx.example.com','10.1.0.13:5060','10.0.0.1:5060/udp',1.79534937470018792155e+09,1795349385.29903,'{"from":1795349374.700188,"up":1795349377.29903,"until":1795349385.29903,"server":"10.0.0.1:5060/udp","tries":1}');
CREATE TABLE captures (
	number INTEGER NOT NULL, 
	run INTEGER NOT NULL, 
	"key" TEXT NOT NULL, 
	said FLOAT NOT NULL, 
	written FLOAT NOT NULL, 
	path TEXT, 
	first FLOAT, 
	last FLOAT, 
	body TEXT NOT NULL, 
	PRIMARY KEY (number), 
	CONSTRAINT captures_key UNIQUE (run, "key"), 
	FOREIGN KEY(run) REFERENCES runs (number) ON DELETE CASCADE
);
INSERT INTO "captures" VALUES(1,1,'a54200aecea75809c153cb8c4ad4e839',1.79534939840816593166e+09,1.79567597460105967516e+09,'samples/partial-outage/capture.pcap',1.79534880238300609592e+09,1.79534939840816593166e+09,'{"path":"samples/partial-outage/capture.pcap","packets":263,"sip_messages":263,"first":1795348802.383006,"last":1795349398.408166,"truncated":false,"link_types":["EN10MB"],"undecoded":{},"duplicates":0,"snaplen_cut":0,"clock_steps":[],"malformed":{},"one_way":0,"mid_life":0,"encrypted":{},"loss":{"kernel_drops":null,"tcp_gaps":0,"missing_halves":0,"estimate":0.0},"content":{}}');
INSERT INTO "captures" VALUES(2,2,'cc406bbfe05f8d2c246da3c8cc9a0d42',1700000000.0,1.79567597466023349756e+09,'eth1',1700000000.0,1700000000.0,'{"path":"eth1","packets":100,"sip_messages":50,"first":1700000000.0,"last":1700000000.0,"truncated":false,"link_types":["EN10MB"],"undecoded":{"arp":10},"duplicates":0,"snaplen_cut":0,"clock_steps":[],"malformed":{},"one_way":0,"mid_life":0,"encrypted":{},"loss":{"kernel_drops":1,"tcp_gaps":0,"missing_halves":0,"estimate":0.0},"content":{}}');
CREATE TABLE counts (
	number INTEGER NOT NULL, 
	run INTEGER NOT NULL, 
	"key" TEXT NOT NULL, 
	said FLOAT NOT NULL, 
	written FLOAT NOT NULL, 
	kind TEXT, 
	rule TEXT, 
	reason TEXT, 
	times FLOAT, 
	body TEXT NOT NULL, 
	PRIMARY KEY (number), 
	CONSTRAINT counts_key UNIQUE (run, "key"), 
	FOREIGN KEY(run) REFERENCES runs (number) ON DELETE CASCADE
);
INSERT INTO "counts" VALUES(1,1,'0c63995997c06d9c66efb92782a06adf',1.79534939840816593166e+09,1.79567597460105967516e+09,'reached','failover-missing',NULL,6.0,'{"rule":"failover-missing","count":6}');
INSERT INTO "counts" VALUES(2,1,'7999a5b480ce60cbe500329f21fc25b1',1.79534939840816593166e+09,1.79567597460105967516e+09,'reached','flapping',NULL,3.0,'{"rule":"flapping","count":3}');
INSERT INTO "counts" VALUES(3,1,'9f19bee8e63aff66797117f28996f9cd',1.79534939840816593166e+09,1.79567597460105967516e+09,'reached','premature-failback',NULL,6.0,'{"rule":"premature-failback","count":6}');
INSERT INTO "counts" VALUES(4,1,'0e56bce3c18dcdf41a64e1d54697604c',1.79534939840816593166e+09,1.79567597460105967516e+09,'reached','signalling-after-expiry',NULL,16.0,'{"rule":"signalling-after-expiry","count":16}');
INSERT INTO "counts" VALUES(5,2,'88d972117ae48eeda0bce5822765edf6',1700000000.0,1.79567597466023349756e+09,'inconclusive','overdue-failback','ttl-unknown',3.0,'{"rule":"overdue-failback","reason":"ttl-unknown","count":3}');
CREATE TABLE events (
	number INTEGER NOT NULL, 
	run INTEGER NOT NULL, 
	"key" TEXT NOT NULL, 
	said FLOAT NOT NULL, 
	written FLOAT NOT NULL, 
	what TEXT, 
	time FLOAT, 
	body TEXT NOT NULL, 
	PRIMARY KEY (number), 
	CONSTRAINT events_key UNIQUE (run, "key"), 
	FOREIGN KEY(run) REFERENCES runs (number) ON DELETE CASCADE
);
INSERT INTO "events" VALUES(1,1,'0374b0c3c0f6d4a87be576ee21a36aad',1.79534939840816593166e+09,1.79567597460105967516e+09,'sbc1 takes no calls',1795348950.0,'{"time":1795348950.0,"what":"sbc1 takes no calls"}');
INSERT INTO "events" VALUES(2,1,'2dc46414edc015589b90c5cc2a89d19b',1.79534939840816593166e+09,1.79567597460105967516e+09,'sbc1 takes calls',1795349150.0,'{"time":1795349150.0,"what":"sbc1 takes calls"}');
CREATE TABLE findings (
	number INTEGER NOT NULL, 
	run INTEGER NOT NULL, 
	"key" TEXT NOT NULL, 
	said FLOAT NOT NULL, 
	written FLOAT NOT NULL, 
	line TEXT, 
	phone TEXT, 
	server TEXT, 
	rule TEXT, 
	severity TEXT, 
	incident TEXT, 
	suppressed TEXT, 
	withdrawn TEXT, 
	time FLOAT, 
	body TEXT NOT NULL, 
	PRIMARY KEY (number), 
	CONSTRAINT findings_key UNIQUE (run, "key"), 
	FOREIGN KEY(run) REFERENCES runs (number) ON DELETE CASCADE
);
INSERT INTO "findings" VALUES(1,1,'f-000001',1.79534906666616511346e+09,1.79567597460105967516e+09,'sip:1003@pbx.example.com','10.1.0.13:5060',NULL,'flapping','info','i-0002',NULL,NULL,1.79534906666616511346e+09,'{"id":"f-000001","rule":"flapping","severity":"info","confidence":"certain","line":"sip:1003@pbx.example.com","phone":"10.1.0.13:5060","server":null,"time":1795349066.666165,"expected":"A line that has moved stays where it is for some time.","observed":"3 moves within 80.1 s, because servers failed and answered again in turn (failBack.mode=duration, samples/partial-outage/site.yaml:9 lines[0].settings).","basis":["F11"],"facts":{"method":"REGISTER","count":3,"kind":"servers","elapsed":80.126,"regime":"R2","mode":"duration","times":1},"assumptions":[],"also":[],"cause":null,"incident":"i-0002","suppressed":null,"wireshark":"frame.number in {76, 114, 122}","evidence":[{"capture":"samples/partial-outage/capture.pcap","frame":76,"time":1795348986.540444,"summary":"200 REGISTER 10.0.0.2 → 10.1.0.13","frames":null},{"capture":"samples/partial-outage/capture.pcap","frame":114,"time":1795349046.546664,"summary":"200 REGISTER 10.0.0.1 → 10.1.0.13","frames":null},{"capture":"samples/partial-outage/capture.pcap","frame":122,"time":1795349066.666165,"summary":"200 REGISTER 10.0.0.2 → 10.1.0.13","frames":null}]}');
INSERT INTO "findings" VALUES(2,1,'f-000002',1.7953491025421440601e+09,1.79567597460105967516e+09,'sip:1002@pbx.example.com','10.1.0.12:5060',NULL,'flapping','info','i-0002',NULL,NULL,1.7953491025421440601e+09,'{"id":"f-000002","rule":"flapping","severity":"info","confidence":"certain","line":"sip:1002@pbx.example.com","phone":"10.1.0.12:5060","server":null,"time":1795349102.542144,"expected":"A line that has moved stays where it is for some time.","observed":"3 moves within 89.1 s, because servers failed and answered again in turn (failBack.mode=duration, samples/partial-outage/site.yaml:9 lines[0].settings).","basis":["F11"],"facts":{"method":"REGISTER","count":3,"kind":"servers","elapsed":89.075,"regime":"R2","mode":"duration","times":1},"assumptions":[],"also":[],"cause":null,"incident":"i-0002","suppressed":null,"wireshark":"frame.number in {91, 129, 137}","evidence":[{"capture":"samples/partial-outage/capture.pcap","frame":91,"time":1795349013.467095,"summary":"200 REGISTER 10.0.0.2 → 10.1.0.12","frames":null},{"capture":"samples/partial-outage/capture.pcap","frame":129,"time":1795349073.473436,"summary":"200 REGISTER 10.0.0.1 → 10.1.0.12","frames":null},{"capture":"samples/partial-outage/capture.pcap","frame":137,"time":1795349102.542144,"summary":"200 REGISTER 10.0.0.2 → 10.1.0.12","frames":null}]}');
INSERT INTO "findings" VALUES(3,1,'f-000003',1.79534910640588903424e+09,1.79567597460105967516e+09,'sip:1001@pbx.example.com','10.1.0.11:5060',NULL,'flapping','info','i-0002',NULL,NULL,1.79534910640588903424e+09,'{"id":"f-000003","rule":"flapping","severity":"info","confidence":"certain","line":"sip:1001@pbx.example.com","phone":"10.1.0.11:5060","server":null,"time":1795349106.405889,"expected":"A line that has moved stays where it is for some time.","observed":"3 moves within 2.3 min, because servers failed and answered again in turn (failBack.mode=duration, samples/partial-outage/site.yaml:9 lines[0].settings).","basis":["F11"],"facts":{"method":"REGISTER","count":3,"kind":"servers","elapsed":138.035,"regime":"R2","mode":"duration","times":1},"assumptions":[],"also":[],"cause":null,"incident":"i-0002","suppressed":null,"wireshark":"frame.number in {61, 107, 147}","evidence":[{"capture":"samples/partial-outage/capture.pcap","frame":61,"time":1795348968.370648,"summary":"200 REGISTER 10.0.0.2 → 10.1.0.11","frames":null},{"capture":"samples/partial-outage/capture.pcap","frame":107,"time":1795349033.376897,"summary":"200 REGISTER 10.0.0.1 → 10.1.0.11","frames":null},{"capture":"samples/partial-outage/capture.pcap","frame":147,"time":1795349106.405889,"summary":"200 REGISTER 10.0.0.2 → 10.1.0.11","frames":null}]}');
INSERT INTO "findings" VALUES(4,2,'f-000001',1700000000.0,1.79567597466023349756e+09,'sip:1001@pbx.example.com','10.1.0.5:5060','10.0.0.1:5060/udp','premature-failback','error','i-0001',NULL,NULL,1700000000.0,'{"id":"f-000001","rule":"premature-failback","severity":"error","confidence":"certain","line":"sip:1001@pbx.example.com","phone":"10.1.0.5:5060","server":"10.0.0.1:5060/udp","time":1700000000.0,"expected":"","observed":"","basis":["B4"],"facts":{"times":1},"assumptions":[],"also":[],"cause":null,"incident":"i-0001","suppressed":null,"wireshark":null,"evidence":[{"capture":"eth1","frame":1,"time":1700000000.0,"summary":"REGISTER","frames":null}]}');
CREATE TABLE health (
	number INTEGER NOT NULL, 
	run INTEGER NOT NULL, 
	"key" TEXT NOT NULL, 
	said FLOAT NOT NULL, 
	written FLOAT NOT NULL, 
	sip_per_s FLOAT, 
	kernel_drops FLOAT, 
	interface_drops FLOAT, 
	lag_s FLOAT, 
	memory_bytes FLOAT, 
	body TEXT NOT NULL, 
	PRIMARY KEY (number), 
	CONSTRAINT health_key UNIQUE (run, "key"), 
	FOREIGN KEY(run) REFERENCES runs (number) ON DELETE CASCADE
);
INSERT INTO "health" VALUES(1,2,'46ae6dbedc550fc591a303f094f472d5',1700000000.0,1.79567597466023349756e+09,1.0,NULL,NULL,0.1,1.0,'{"packets_per_s":1.0,"sip_per_s":1.0,"kernel_drops":null,"interface_drops":null,"lag_s":0.1,"memory_bytes":1,"lines":1,"dialogs":0,"transactions":0,"evicted":{},"undecoded":{}}');
CREATE TABLE incidents (
	number INTEGER NOT NULL, 
	run INTEGER NOT NULL, 
	"key" TEXT NOT NULL, 
	said FLOAT NOT NULL, 
	written FLOAT NOT NULL, 
	kind TEXT, 
	server TEXT, 
	entry TEXT, 
	state TEXT, 
	withdrawn TEXT, 
	since FLOAT, 
	until FLOAT, 
	body TEXT NOT NULL, 
	PRIMARY KEY (number), 
	CONSTRAINT incidents_key UNIQUE (run, "key"), 
	FOREIGN KEY(run) REFERENCES runs (number) ON DELETE CASCADE
);
INSERT INTO "incidents" VALUES(1,1,'i-0001',1795349166.8908,1.79567597460105967516e+09,'partial-outage','10.0.0.1:5060/udp','sbc','closed',NULL,1.79534896485779190064e+09,1795349166.8908,'{"id":"i-0001","kind":"partial-outage","server":"10.0.0.1:5060/udp","entry":"sbc","state":"closed","start":1795348964.857792,"end":1795349166.8908,"lines":["sip:1001@pbx.example.com","sip:1002@pbx.example.com","sip:1003@pbx.example.com"],"phones":3,"groups":[],"findings":[],"metrics":{"time_to_detect_p50":36.528,"time_to_detect_p95":63.454,"time_to_detect_max":63.454,"time_to_recover_p50":36.54,"time_to_recover_p95":63.467,"time_to_recover_max":63.467,"lines_moved":3,"lines_stayed":0,"registrations_lost":0,"calls_lost":0,"calls_failed":0,"emergency_failed":0,"register_rate_median":null,"register_rate_peak":null,"responses_503":0},"evidence":[{"capture":"samples/partial-outage/capture.pcap","frame":55,"time":1795348964.857792,"summary":"INVITE 10.1.0.11 → 10.0.0.1","frames":null},{"capture":"samples/partial-outage/capture.pcap","frame":67,"time":1795348979.027652,"summary":"INVITE 10.1.0.13 → 10.0.0.1","frames":null},{"capture":"samples/partial-outage/capture.pcap","frame":84,"time":1795349005.953567,"summary":"INVITE 10.1.0.12 → 10.0.0.1","frames":null},{"capture":"samples/partial-outage/capture.pcap","frame":117,"time":1795349059.159698,"summary":"INVITE 10.1.0.13 → 10.0.0.1","frames":null},{"capture":"samples/partial-outage/capture.pcap","frame":132,"time":1795349095.035706,"summary":"INVITE 10.1.0.12 → 10.0.0.1","frames":null},{"capture":"samples/partial-outage/capture.pcap","frame":141,"time":1795349102.899138,"summary":"INVITE 10.1.0.11 → 10.0.0.1","frames":null}],"timeline":[{"time":1795348939.198417,"what":"last answer from 10.0.0.1:5060/udp"},{"time":1795348950.0,"what":"known stop: sbc1 takes no calls"},{"time":1795348964.857792,"what":"first request without answer"},{"time":1795348968.357792,"what":"first line turns to another server: sip:1001@pbx.example.com"},{"time":1795349013.467095,"what":"the last of 3 lines has moved: sip:1002@pbx.example.com"},{"time":1795349150.0,"what":"known: sbc1 takes calls"},{"time":1795349166.8908,"what":"10.0.0.1:5060/udp answers again"}]}');
INSERT INTO "incidents" VALUES(2,1,'i-0002',1.79534939840816593166e+09,1.79567597460105967516e+09,'flapping',NULL,'sbc','open',NULL,1.7953489865404438973e+09,NULL,'{"id":"i-0002","kind":"flapping","server":null,"entry":"sbc","state":"open","start":1795348986.540444,"end":null,"lines":["sip:1001@pbx.example.com","sip:1002@pbx.example.com","sip:1003@pbx.example.com"],"phones":3,"groups":[],"findings":["f-000001","f-000002","f-000003"],"metrics":{"time_to_detect_p50":null,"time_to_detect_p95":null,"time_to_detect_max":null,"time_to_recover_p50":null,"time_to_recover_p95":null,"time_to_recover_max":null,"lines_moved":null,"lines_stayed":null,"registrations_lost":null,"calls_lost":null,"calls_failed":null,"emergency_failed":null,"register_rate_median":null,"register_rate_peak":null,"responses_503":null},"evidence":[{"capture":"samples/partial-outage/capture.pcap","frame":122,"time":1795349066.666165,"summary":"200 REGISTER 10.0.0.2 → 10.1.0.13","frames":null},{"capture":"samples/partial-outage/capture.pcap","frame":137,"time":1795349102.542144,"summary":"200 REGISTER 10.0.0.2 → 10.1.0.12","frames":null},{"capture":"samples/partial-outage/capture.pcap","frame":165,"time":1795349134.67298,"summary":"200 REGISTER 10.0.0.1 → 10.1.0.13","frames":null},{"capture":"samples/partial-outage/capture.pcap","frame":172,"time":1795349162.548854,"summary":"200 REGISTER 10.0.0.1 → 10.1.0.12","frames":null},{"capture":"samples/partial-outage/capture.pcap","frame":179,"time":1795349167.412492,"summary":"200 REGISTER 10.0.0.1 → 10.1.0.11","frames":null}],"timeline":[]}');
INSERT INTO "incidents" VALUES(3,2,'i-0001',1700000000.0,1.79567597466023349756e+09,'server-outage','10.0.0.1:5060/udp','sbc','open',NULL,1700000000.0,NULL,'{"id":"i-0001","kind":"server-outage","server":"10.0.0.1:5060/udp","entry":"sbc","state":"open","start":1700000000.0,"end":null,"lines":["sip:1001@pbx.example.com"],"phones":1,"groups":[],"findings":[],"metrics":{},"evidence":[],"timeline":[]}');
CREATE TABLE lines (
	number INTEGER NOT NULL, 
	run INTEGER NOT NULL, 
	"key" TEXT NOT NULL, 
	said FLOAT NOT NULL, 
	written FLOAT NOT NULL, 
	line TEXT, 
	phone TEXT, 
	label TEXT, 
	group_name TEXT, 
	working TEXT, 
	first FLOAT, 
	last FLOAT, 
	body TEXT NOT NULL, 
	PRIMARY KEY (number), 
	CONSTRAINT lines_key UNIQUE (run, "key"), 
	FOREIGN KEY(run) REFERENCES runs (number) ON DELETE CASCADE
);
INSERT INTO "lines" VALUES(1,1,'c8eec76ae0d77ab5fdd8a7969555c409',1.79534939840816593166e+09,1.79567597460105967516e+09,'sip:1001@pbx.example.com','10.1.0.11:5060',NULL,NULL,'10.0.0.1:5060/udp',1795348804.83277,1.79534939840816593166e+09,'{"line":"sip:1001@pbx.example.com","phone":"10.1.0.11:5060","contact":"sip:1001@10.1.0.11","mac":"0004f2000001","user_agent":"PolycomVVX-VVX_500-UA/4.0.1.13681","model":"VVX_500","firmware":"4.0.1.13681","label":null,"group":null,"entry":"sbc","entries":["sbc"],"regime":"R2","mode":"duration","working":"10.0.0.1:5060/udp","first":1795348804.83277,"last":1795349398.408166,"calls":10,"settings":{"authOptimizedInFailover":{"value":1,"source":"samples/partial-outage/site.yaml:9 lines[0].settings: forced by reRegisterOn=1","origin":"explicit"},"concurrentRegistration":{"value":0,"source":null,"origin":"default"},"expires":{"value":3600,"source":null,"origin":"default"},"expires.overlap":{"value":60,"source":null,"origin":"default"},"failBack.mode":{"value":"duration","source":"samples/partial-outage/site.yaml:9 lines[0].settings","origin":"explicit"},"failBack.timeout":{"value":60,"source":"samples/partial-outage/site.yaml:9 lines[0].settings","origin":"explicit"},"failRegistrationOn":{"value":1,"source":"samples/partial-outage/site.yaml:9 lines[0].settings","origin":"explicit"},"onlySignalWithRegistered":{"value":1,"source":null,"origin":"default"},"reRegisterOn":{"value":1,"source":"samples/partial-outage/site.yaml:9 lines[0].settings","origin":"explicit"},"register":{"value":1,"source":null,"origin":"default"},"registerRetry.baseTimeOut":{"value":60,"source":null,"origin":"default"},"registerRetry.maxTimeOut":{"value":60,"source":null,"origin":"default"},"retryMaxCount":{"value":3,"source":null,"origin":"default"},"retryTimeOut":{"value":0,"source":null,"origin":"default"},"useOutboundProxy":{"value":1,"source":null,"origin":"default"}},"moves":[],"tries":[],"registrations":[],"inconclusive":[],"declare":[],"call_spans":[]}');
INSERT INTO "lines" VALUES(2,1,'884f8f1be7274c465c4afa058d50a545',1.79534936881376790997e+09,1.79567597460105967516e+09,'sip:1002@pbx.example.com','10.1.0.12:5060',NULL,NULL,'10.0.0.1:5060/udp',1.79534880238300609592e+09,1.79534936881376790997e+09,'{"line":"sip:1002@pbx.example.com","phone":"10.1.0.12:5060","contact":"sip:1002@10.1.0.12","mac":"0004f2000002","user_agent":"PolycomVVX-VVX_500-UA/4.0.1.13681","model":"VVX_500","firmware":"4.0.1.13681","label":null,"group":null,"entry":"sbc","entries":["sbc"],"regime":"R2","mode":"duration","working":"10.0.0.1:5060/udp","first":1795348802.383006,"last":1795349368.813768,"calls":10,"settings":{"authOptimizedInFailover":{"value":1,"source":"samples/partial-outage/site.yaml:9 lines[0].settings: forced by reRegisterOn=1","origin":"explicit"},"concurrentRegistration":{"value":0,"source":null,"origin":"default"},"expires":{"value":3600,"source":null,"origin":"default"},"expires.overlap":{"value":60,"source":null,"origin":"default"},"failBack.mode":{"value":"duration","source":"samples/partial-outage/site.yaml:9 lines[0].settings","origin":"explicit"},"failBack.timeout":{"value":60,"source":"samples/partial-outage/site.yaml:9 lines[0].settings","origin":"explicit"},"failRegistrationOn":{"value":1,"source":"samples/partial-outage/site.yaml:9 lines[0].settings","origin":"explicit"},"onlySignalWithRegistered":{"value":1,"source":null,"origin":"default"},"reRegisterOn":{"value":1,"source":"samples/partial-outage/site.yaml:9 lines[0].settings","origin":"explicit"},"register":{"value":1,"source":null,"origin":"default"},"registerRetry.baseTimeOut":{"value":60,"source":null,"origin":"default"},"registerRetry.maxTimeOut":{"value":60,"source":null,"origin":"default"},"retryMaxCount":{"value":3,"source":null,"origin":"default"},"retryTimeOut":{"value":0,"source":null,"origin":"default"},"useOutboundProxy":{"value":1,"source":null,"origin":"default"}},"moves":[],"tries":[],"registrations":[],"inconclusive":[],"declare":[],"call_spans":[]}');
INSERT INTO "lines" VALUES(3,1,'414a3c6ba1bd163495e4f3049677d9f3',1.79534938530593705181e+09,1.79567597460105967516e+09,'sip:1003@pbx.example.com','10.1.0.13:5060',NULL,NULL,'10.0.0.1:5060/udp',1.79534880417837190624e+09,1.79534938530593705181e+09,'{"line":"sip:1003@pbx.example.com","phone":"10.1.0.13:5060","contact":"sip:1003@10.1.0.13","mac":"0004f2000003","user_agent":"PolycomVVX-VVX_500-UA/4.0.1.13681","model":"VVX_500","firmware":"4.0.1.13681","label":null,"group":null,"entry":"sbc","entries":["sbc"],"regime":"R2","mode":"duration","working":"10.0.0.1:5060/udp","first":1795348804.178372,"last":1795349385.305937,"calls":9,"settings":{"authOptimizedInFailover":{"value":1,"source":"samples/partial-outage/site.yaml:9 lines[0].settings: forced by reRegisterOn=1","origin":"explicit"},"concurrentRegistration":{"value":0,"source":null,"origin":"default"},"expires":{"value":3600,"source":null,"origin":"default"},"expires.overlap":{"value":60,"source":null,"origin":"default"},"failBack.mode":{"value":"duration","source":"samples/partial-outage/site.yaml:9 lines[0].settings","origin":"explicit"},"failBack.timeout":{"value":60,"source":"samples/partial-outage/site.yaml:9 lines[0].settings","origin":"explicit"},"failRegistrationOn":{"value":1,"source":"samples/partial-outage/site.yaml:9 lines[0].settings","origin":"explicit"},"onlySignalWithRegistered":{"value":1,"source":null,"origin":"default"},"reRegisterOn":{"value":1,"source":"samples/partial-outage/site.yaml:9 lines[0].settings","origin":"explicit"},"register":{"value":1,"source":null,"origin":"default"},"registerRetry.baseTimeOut":{"value":60,"source":null,"origin":"default"},"registerRetry.maxTimeOut":{"value":60,"source":null,"origin":"default"},"retryMaxCount":{"value":3,"source":null,"origin":"default"},"retryTimeOut":{"value":0,"source":null,"origin":"default"},"useOutboundProxy":{"value":1,"source":null,"origin":"default"}},"moves":[],"tries":[],"registrations":[],"inconclusive":[],"declare":[],"call_spans":[]}');
INSERT INTO "lines" VALUES(4,2,'1246077c50d6a140f14988509f0bfb45',1700000000.0,1.79567597466023349756e+09,'sip:1001@pbx.example.com','10.1.0.5:5060',NULL,NULL,'10.0.0.1:5060/udp',1700000000.0,1700000000.0,'{"line":"sip:1001@pbx.example.com","phone":"10.1.0.5:5060","contact":null,"mac":null,"user_agent":null,"model":null,"firmware":null,"label":null,"group":null,"entry":null,"entries":[],"regime":null,"mode":null,"working":"10.0.0.1:5060/udp","first":1700000000.0,"last":1700000000.0,"calls":0,"settings":{},"moves":[],"tries":[],"registrations":[],"inconclusive":[],"declare":[],"call_spans":[]}');
CREATE TABLE minutes (
	number INTEGER NOT NULL, 
	run INTEGER NOT NULL, 
	"key" TEXT NOT NULL, 
	said FLOAT NOT NULL, 
	written FLOAT NOT NULL, 
	server TEXT, 
	time FLOAT, 
	body TEXT NOT NULL, 
	PRIMARY KEY (number), 
	CONSTRAINT minutes_key UNIQUE (run, "key"), 
	FOREIGN KEY(run) REFERENCES runs (number) ON DELETE CASCADE
);
INSERT INTO "minutes" VALUES(1,1,'9cbc9187157684656f3c385c35a3260a',1795348800.0,1.79567597460105967516e+09,'10.0.0.1:5060/udp',1795348800.0,'{"time":1795348800.0,"server":"10.0.0.1:5060/udp","requests":{"REGISTER":6},"answers":{"2xx":3,"4xx":3},"responses_503":0,"unanswered":0,"delay_p50":0.006,"delay_max":0.007}');
INSERT INTO "minutes" VALUES(2,1,'074055d7fa23ab0f00106fa77d42aa39',1795348860.0,1.79567597460105967516e+09,'10.0.0.1:5060/udp',1795348860.0,'{"time":1795348860.0,"server":"10.0.0.1:5060/udp","requests":{"BYE":3,"INVITE":4},"answers":{"1xx":8,"2xx":6},"responses_503":0,"unanswered":0,"delay_p50":0.007,"delay_max":0.007}');
CREATE TABLE moves (
	number INTEGER NOT NULL, 
	run INTEGER NOT NULL, 
	"key" TEXT NOT NULL, 
	said FLOAT NOT NULL, 
	written FLOAT NOT NULL, 
	line TEXT, 
	phone TEXT, 
	kind TEXT, 
	source TEXT, 
	target TEXT, 
	cause TEXT, 
	time FLOAT, 
	body TEXT NOT NULL, 
	PRIMARY KEY (number), 
	CONSTRAINT moves_key UNIQUE (run, "key"), 
	FOREIGN KEY(run) REFERENCES runs (number) ON DELETE CASCADE
);
INSERT INTO "moves" VALUES(1,1,'e8d49d21d7b3045ec6283c894416d541',1.79534896837064790724e+09,1.79567597460105967516e+09,'sip:1001@pbx.example.com','10.1.0.11:5060','failover','10.0.0.1:5060/udp','10.0.0.2:5060/udp','timeout',1.79534896837064790724e+09,'{"time":1795348968.370648,"first_packet":1795348968.357792,"kind":"failover","from":"10.0.0.1:5060/udp","to":"10.0.0.2:5060/udp","cause":"timeout","evidence":[{"capture":"samples/partial-outage/capture.pcap","frame":55,"time":1795348964.857792,"summary":"INVITE 10.1.0.11 → 10.0.0.1","frames":null},{"capture":"samples/partial-outage/capture.pcap","frame":58,"time":1795348968.357792,"summary":"REGISTER 10.1.0.11 → 10.0.0.2","frames":null},{"capture":"samples/partial-outage/capture.pcap","frame":61,"time":1795348968.370648,"summary":"200 REGISTER 10.0.0.2 → 10.1.0.11","frames":null}]}');
INSERT INTO "moves" VALUES(2,1,'cf86e95fee011a63645a335d12c94144',1.79534903337689709661e+09,1.79567597460105967516e+09,'sip:1001@pbx.example.com','10.1.0.11:5060','failback','10.0.0.2:5060/udp','10.0.0.1:5060/udp','duration',1.79534903337689709661e+09,'{"time":1795349033.376897,"first_packet":1795349033.370648,"kind":"failback","from":"10.0.0.2:5060/udp","to":"10.0.0.1:5060/udp","cause":"duration","evidence":[{"capture":"samples/partial-outage/capture.pcap","frame":106,"time":1795349033.370648,"summary":"REGISTER 10.1.0.11 → 10.0.0.1","frames":null},{"capture":"samples/partial-outage/capture.pcap","frame":107,"time":1795349033.376897,"summary":"200 REGISTER 10.0.0.1 → 10.1.0.11","frames":null}]}');
INSERT INTO "moves" VALUES(3,1,'abc6958f7d89f3431689157bfaa17221',1.79534910640588903424e+09,1.79567597460105967516e+09,'sip:1001@pbx.example.com','10.1.0.11:5060','failover','10.0.0.1:5060/udp','10.0.0.2:5060/udp','timeout',1.79534910640588903424e+09,'{"time":1795349106.405889,"first_packet":1795349106.399138,"kind":"failover","from":"10.0.0.1:5060/udp","to":"10.0.0.2:5060/udp","cause":"timeout","evidence":[{"capture":"samples/partial-outage/capture.pcap","frame":55,"time":1795348964.857792,"summary":"INVITE 10.1.0.11 → 10.0.0.1","frames":null},{"capture":"samples/partial-outage/capture.pcap","frame":141,"time":1795349102.899138,"summary":"INVITE 10.1.0.11 → 10.0.0.1","frames":null},{"capture":"samples/partial-outage/capture.pcap","frame":146,"time":1795349106.399138,"summary":"REGISTER 10.1.0.11 → 10.0.0.2","frames":null},{"capture":"samples/partial-outage/capture.pcap","frame":147,"time":1795349106.405889,"summary":"200 REGISTER 10.0.0.2 → 10.1.0.11","frames":null}]}');
INSERT INTO "moves" VALUES(4,1,'f2a6fa62185babe3ae3cf87355c604ab',1.79534916741249203683e+09,1.79567597460105967516e+09,'sip:1001@pbx.example.com','10.1.0.11:5060','failback','10.0.0.2:5060/udp','10.0.0.1:5060/udp','duration',1.79534916741249203683e+09,'{"time":1795349167.412492,"first_packet":1795349167.405889,"kind":"failback","from":"10.0.0.2:5060/udp","to":"10.0.0.1:5060/udp","cause":"duration","evidence":[{"capture":"samples/partial-outage/capture.pcap","frame":178,"time":1795349167.405889,"summary":"REGISTER 10.1.0.11 → 10.0.0.1","frames":null},{"capture":"samples/partial-outage/capture.pcap","frame":179,"time":1795349167.412492,"summary":"200 REGISTER 10.0.0.1 → 10.1.0.11","frames":null}]}');
INSERT INTO "moves" VALUES(5,1,'24f50a8848384342f1b42fa34396dfc2',1.79534901346709489821e+09,1.79567597460105967516e+09,'sip:1002@pbx.example.com','10.1.0.12:5060','failover','10.0.0.1:5060/udp','10.0.0.2:5060/udp','timeout',1.79534901346709489821e+09,'{"time":1795349013.467095,"first_packet":1795349013.453567,"kind":"failover","from":"10.0.0.1:5060/udp","to":"10.0.0.2:5060/udp","cause":"timeout","evidence":[{"capture":"samples/partial-outage/capture.pcap","frame":84,"time":1795349005.953567,"summary":"INVITE 10.1.0.12 → 10.0.0.1","frames":null},{"capture":"samples/partial-outage/capture.pcap","frame":88,"time":1795349013.453567,"summary":"REGISTER 10.1.0.12 → 10.0.0.2","frames":null},{"capture":"samples/partial-outage/capture.pcap","frame":91,"time":1795349013.467095,"summary":"200 REGISTER 10.0.0.2 → 10.1.0.12","frames":null}]}');
INSERT INTO "moves" VALUES(6,1,'4d0a6b6c5dfc242c758c7412009e3290',1.7953490734734361172e+09,1.79567597460105967516e+09,'sip:1002@pbx.example.com','10.1.0.12:5060','failback','10.0.0.2:5060/udp','10.0.0.1:5060/udp','duration',1.7953490734734361172e+09,'{"time":1795349073.473436,"first_packet":1795349073.467095,"kind":"failback","from":"10.0.0.2:5060/udp","to":"10.0.0.1:5060/udp","cause":"duration","evidence":[{"capture":"samples/partial-outage/capture.pcap","frame":128,"time":1795349073.467095,"summary":"REGISTER 10.1.0.12 → 10.0.0.1","frames":null},{"capture":"samples/partial-outage/capture.pcap","frame":129,"time":1795349073.473436,"summary":"200 REGISTER 10.0.0.1 → 10.1.0.12","frames":null}]}');
INSERT INTO "moves" VALUES(7,1,'3101303278157a1b4a7fe4ac91da0ac0',1.7953491025421440601e+09,1.79567597460105967516e+09,'sip:1002@pbx.example.com','10.1.0.12:5060','failover','10.0.0.1:5060/udp','10.0.0.2:5060/udp','timeout',1.7953491025421440601e+09,'{"time":1795349102.542144,"first_packet":1795349102.535706,"kind":"failover","from":"10.0.0.1:5060/udp","to":"10.0.0.2:5060/udp","cause":"timeout","evidence":[{"capture":"samples/partial-outage/capture.pcap","frame":84,"time":1795349005.953567,"summary":"INVITE 10.1.0.12 → 10.0.0.1","frames":null},{"capture":"samples/partial-outage/capture.pcap","frame":132,"time":1795349095.035706,"summary":"INVITE 10.1.0.12 → 10.0.0.1","frames":null},{"capture":"samples/partial-outage/capture.pcap","frame":136,"time":1795349102.535706,"summary":"REGISTER 10.1.0.12 → 10.0.0.2","frames":null},{"capture":"samples/partial-outage/capture.pcap","frame":137,"time":1795349102.542144,"summary":"200 REGISTER 10.0.0.2 → 10.1.0.12","frames":null}]}');
INSERT INTO "moves" VALUES(8,1,'9fefe4a173c8c8860fc4aa919281b242',1.79534916254885411257e+09,1.79567597460105967516e+09,'sip:1002@pbx.example.com','10.1.0.12:5060','failback','10.0.0.2:5060/udp','10.0.0.1:5060/udp','duration',1.79534916254885411257e+09,'{"time":1795349162.548854,"first_packet":1795349162.542144,"kind":"failback","from":"10.0.0.2:5060/udp","to":"10.0.0.1:5060/udp","cause":"duration","evidence":[{"capture":"samples/partial-outage/capture.pcap","frame":171,"time":1795349162.542144,"summary":"REGISTER 10.1.0.12 → 10.0.0.1","frames":null},{"capture":"samples/partial-outage/capture.pcap","frame":172,"time":1795349162.548854,"summary":"200 REGISTER 10.0.0.1 → 10.1.0.12","frames":null}]}');
INSERT INTO "moves" VALUES(9,1,'3d74a3948ebd6dc4f53fe07acd37ebef',1.7953489865404438973e+09,1.79567597460105967516e+09,'sip:1003@pbx.example.com','10.1.0.13:5060','failover','10.0.0.1:5060/udp','10.0.0.2:5060/udp','timeout',1.7953489865404438973e+09,'{"time":1795348986.540444,"first_packet":1795348986.527652,"kind":"failover","from":"10.0.0.1:5060/udp","to":"10.0.0.2:5060/udp","cause":"timeout","evidence":[{"capture":"samples/partial-outage/capture.pcap","frame":67,"time":1795348979.027652,"summary":"INVITE 10.1.0.13 → 10.0.0.1","frames":null},{"capture":"samples/partial-outage/capture.pcap","frame":73,"time":1795348986.527652,"summary":"REGISTER 10.1.0.13 → 10.0.0.2","frames":null},{"capture":"samples/partial-outage/capture.pcap","frame":76,"time":1795348986.540444,"summary":"200 REGISTER 10.0.0.2 → 10.1.0.13","frames":null}]}');
INSERT INTO "moves" VALUES(10,1,'9c5ae2d76e67f8a976963b67f489103c',1.79534904654666399963e+09,1.79567597460105967516e+09,'sip:1003@pbx.example.com','10.1.0.13:5060','failback','10.0.0.2:5060/udp','10.0.0.1:5060/udp','duration',1.79534904654666399963e+09,'{"time":1795349046.546664,"first_packet":1795349046.540444,"kind":"failback","from":"10.0.0.2:5060/udp","to":"10.0.0.1:5060/udp","cause":"duration","evidence":[{"capture":"samples/partial-outage/capture.pcap","frame":113,"time":1795349046.540444,"summary":"REGISTER 10.1.0.13 → 10.0.0.1","frames":null},{"capture":"samples/partial-outage/capture.pcap","frame":114,"time":1795349046.546664,"summary":"200 REGISTER 10.0.0.1 → 10.1.0.13","frames":null}]}');
INSERT INTO "moves" VALUES(11,1,'be1e00427ea0379df84e6d1c8539541d',1.79534906666616511346e+09,1.79567597460105967516e+09,'sip:1003@pbx.example.com','10.1.0.13:5060','failover','10.0.0.1:5060/udp','10.0.0.2:5060/udp','timeout',1.79534906666616511346e+09,'{"time":1795349066.666165,"first_packet":1795349066.659698,"kind":"failover","from":"10.0.0.1:5060/udp","to":"10.0.0.2:5060/udp","cause":"timeout","evidence":[{"capture":"samples/partial-outage/capture.pcap","frame":67,"time":1795348979.027652,"summary":"INVITE 10.1.0.13 → 10.0.0.1","frames":null},{"capture":"samples/partial-outage/capture.pcap","frame":117,"time":1795349059.159698,"summary":"INVITE 10.1.0.13 → 10.0.0.1","frames":null},{"capture":"samples/partial-outage/capture.pcap","frame":121,"time":1795349066.659698,"summary":"REGISTER 10.1.0.13 → 10.0.0.2","frames":null},{"capture":"samples/partial-outage/capture.pcap","frame":122,"time":1795349066.666165,"summary":"200 REGISTER 10.0.0.2 → 10.1.0.13","frames":null}]}');
INSERT INTO "moves" VALUES(12,1,'9a905cbc0d313c3b247fe8a9d586b1a9',1795349134.67298,1.79567597460105967516e+09,'sip:1003@pbx.example.com','10.1.0.13:5060','failback','10.0.0.2:5060/udp','10.0.0.1:5060/udp','duration',1795349134.67298,'{"time":1795349134.67298,"first_packet":1795349134.666165,"kind":"failback","from":"10.0.0.2:5060/udp","to":"10.0.0.1:5060/udp","cause":"duration","evidence":[{"capture":"samples/partial-outage/capture.pcap","frame":164,"time":1795349134.666165,"summary":"REGISTER 10.1.0.13 → 10.0.0.1","frames":null},{"capture":"samples/partial-outage/capture.pcap","frame":165,"time":1795349134.67298,"summary":"200 REGISTER 10.0.0.1 → 10.1.0.13","frames":null}]}');
INSERT INTO "moves" VALUES(13,2,'dbea5f6be7dd6dc2dcb4b925387f7993',1700000001.0,1.79567597466023349756e+09,'sip:1001@pbx.example.com','10.1.0.5:5060','failover','10.0.0.1:5060/udp','10.0.0.2:5060/udp','timeout',1700000001.0,'{"time":1700000001.0,"first_packet":null,"kind":"failover","from":"10.0.0.1:5060/udp","to":"10.0.0.2:5060/udp","cause":"timeout","evidence":[]}');
CREATE TABLE notes (
	number INTEGER NOT NULL, 
	run INTEGER NOT NULL, 
	"key" TEXT NOT NULL, 
	said FLOAT NOT NULL, 
	written FLOAT NOT NULL, 
	body TEXT NOT NULL, 
	PRIMARY KEY (number), 
	CONSTRAINT notes_key UNIQUE (run, "key"), 
	FOREIGN KEY(run) REFERENCES runs (number) ON DELETE CASCADE
);
CREATE TABLE registrations (
	number INTEGER NOT NULL, 
	run INTEGER NOT NULL, 
	"key" TEXT NOT NULL, 
	said FLOAT NOT NULL, 
	written FLOAT NOT NULL, 
	line TEXT, 
	phone TEXT, 
	server TEXT, 
	ended TEXT, 
	since FLOAT, 
	until FLOAT, 
	body TEXT NOT NULL, 
	PRIMARY KEY (number), 
	CONSTRAINT registrations_key UNIQUE (run, "key"), 
	FOREIGN KEY(run) REFERENCES runs (number) ON DELETE CASCADE
);
INSERT INTO "registrations" VALUES(1,1,'9a32ab2f2bfc83a6eb90047287ee04d1',1795348804.84547,1.79567597460105967516e+09,'sip:1001@pbx.example.com','10.1.0.11:5060','10.0.0.1:5060/udp','invalidated',1795348804.84547,1.79534896837064790724e+09,'{"server":"10.0.0.1:5060/udp","from":1795348804.84547,"until":1795348968.370648,"expires":3600,"refreshes":0,"end":"invalidated"}');
INSERT INTO "registrations" VALUES(2,1,'e24c4cc72f6d1d12415de961a908e848',1.79534896837064790724e+09,1.79567597460105967516e+09,'sip:1001@pbx.example.com','10.1.0.11:5060','10.0.0.2:5060/udp',NULL,1.79534896837064790724e+09,1.79535270640588903428e+09,'{"server":"10.0.0.2:5060/udp","from":1795348968.370648,"until":1795352706.405889,"expires":3600,"refreshes":1,"end":null}');
INSERT INTO "registrations" VALUES(3,1,'ffaf926f2c67b4c9b0ccd5a68e1312c7',1.79534903337689709661e+09,1.79567597460105967516e+09,'sip:1001@pbx.example.com','10.1.0.11:5060','10.0.0.1:5060/udp','invalidated',1.79534903337689709661e+09,1.79534910640588903424e+09,'{"server":"10.0.0.1:5060/udp","from":1795349033.376897,"until":1795349106.405889,"expires":3600,"refreshes":0,"end":"invalidated"}');
INSERT INTO "registrations" VALUES(4,1,'7917c86da93c05a1197c6eff55830629',1.79534916741249203683e+09,1.79567597460105967516e+09,'sip:1001@pbx.example.com','10.1.0.11:5060','10.0.0.1:5060/udp',NULL,1.79534916741249203683e+09,1.79535276741249203683e+09,'{"server":"10.0.0.1:5060/udp","from":1795349167.412492,"until":1795352767.412492,"expires":3600,"refreshes":0,"end":null}');
INSERT INTO "registrations" VALUES(5,1,'bc4557ba1f20d47fb8b83aa0b573f0fd',1.79534880239604210851e+09,1.79567597460105967516e+09,'sip:1002@pbx.example.com','10.1.0.12:5060','10.0.0.1:5060/udp','invalidated',1.79534880239604210851e+09,1.79534901346709489821e+09,'{"server":"10.0.0.1:5060/udp","from":1795348802.396042,"until":1795349013.467095,"expires":3600,"refreshes":0,"end":"invalidated"}');
INSERT INTO "registrations" VALUES(6,1,'851036e49e739d9d7eea8c90e51af7fd',1.79534901346709489821e+09,1.79567597460105967516e+09,'sip:1002@pbx.example.com','10.1.0.12:5060','10.0.0.2:5060/udp',NULL,1.79534901346709489821e+09,1.79535270254214406014e+09,'{"server":"10.0.0.2:5060/udp","from":1795349013.467095,"until":1795352702.542144,"expires":3600,"refreshes":1,"end":null}');
INSERT INTO "registrations" VALUES(7,1,'18be1fc7a0c76b755da200fc631b9fb0',1.7953490734734361172e+09,1.79567597460105967516e+09,'sip:1002@pbx.example.com','10.1.0.12:5060','10.0.0.1:5060/udp','invalidated',1.7953490734734361172e+09,1.7953491025421440601e+09,'{"server":"10.0.0.1:5060/udp","from":1795349073.473436,"until":1795349102.542144,"expires":3600,"refreshes":0,"end":"invalidated"}');
INSERT INTO "registrations" VALUES(8,1,'30cbe60815a312743d4248ab532758ec',1.79534916254885411257e+09,1.79567597460105967516e+09,'sip:1002@pbx.example.com','10.1.0.12:5060','10.0.0.1:5060/udp',NULL,1.79534916254885411257e+09,1.79535276254885411257e+09,'{"server":"10.0.0.1:5060/udp","from":1795349162.548854,"until":1795352762.548854,"expires":3600,"refreshes":0,"end":null}');
INSERT INTO "registrations" VALUES(9,1,'440d8adc59adb084f57806bc8500c02f',1795348804.19108,1.79567597460105967516e+09,'sip:1003@pbx.example.com','10.1.0.13:5060','10.0.0.1:5060/udp','invalidated',1795348804.19108,1.7953489865404438973e+09,'{"server":"10.0.0.1:5060/udp","from":1795348804.19108,"until":1795348986.540444,"expires":3600,"refreshes":0,"end":"invalidated"}');
INSERT INTO "registrations" VALUES(10,1,'f0221187be2fd364efa4b9d1ab56f070',1.7953489865404438973e+09,1.79567597460105967516e+09,'sip:1003@pbx.example.com','10.1.0.13:5060','10.0.0.2:5060/udp',NULL,1.7953489865404438973e+09,1.79535266666616511342e+09,'{"server":"10.0.0.2:5060/udp","from":1795348986.540444,"until":1795352666.666165,"expires":3600,"refreshes":1,"end":null}');
INSERT INTO "registrations" VALUES(11,1,'b6f8a1486a818bc1c620003c1040c573',1.79534904654666399963e+09,1.79567597460105967516e+09,'sip:1003@pbx.example.com','10.1.0.13:5060','10.0.0.1:5060/udp','invalidated',1.79534904654666399963e+09,1.79534906666616511346e+09,'{"server":"10.0.0.1:5060/udp","from":1795349046.546664,"until":1795349066.666165,"expires":3600,"refreshes":0,"end":"invalidated"}');
INSERT INTO "registrations" VALUES(12,1,'8549ef5ae579d739fd671b66dad36ac5',1795349134.67298,1.79567597460105967516e+09,'sip:1003@pbx.example.com','10.1.0.13:5060','10.0.0.1:5060/udp',NULL,1795349134.67298,1795352734.67298,'{"server":"10.0.0.1:5060/udp","from":1795349134.67298,"until":1795352734.67298,"expires":3600,"refreshes":0,"end":null}');
INSERT INTO "registrations" VALUES(13,2,'3a88c32a208f5516dd3a2c6c753df136',1700000000.0,1.79567597466023349756e+09,'sip:1001@pbx.example.com','10.1.0.5:5060','10.0.0.1:5060/udp',NULL,1700000000.0,NULL,'{"server":"10.0.0.1:5060/udp","from":1700000000.0,"until":null,"expires":3600,"refreshes":0,"end":null}');
CREATE TABLE runs (
	number INTEGER NOT NULL, 
	identity TEXT NOT NULL, 
	probe TEXT NOT NULL, 
	kind TEXT NOT NULL, 
	generator TEXT NOT NULL, 
	began FLOAT NOT NULL, 
	said FLOAT NOT NULL, 
	written FLOAT NOT NULL, 
	sources TEXT NOT NULL, 
	PRIMARY KEY (number), 
	UNIQUE (identity)
);
INSERT INTO "runs" VALUES(1,'analysis-20050199b341423280591386d76dca3e','desk','analysis','sipaudit 0.1.0',1795348800.0,1.79534939840816593166e+09,1.79567597460105967516e+09,'["capture.pcap@1795348802.383006"]');
INSERT INTO "runs" VALUES(2,'0123456789abcdef','north','live','sipaudit 0.1.0',1700000000.0,1700000001.0,1.79567597466023349756e+09,'');
CREATE TABLE servers (
	number INTEGER NOT NULL, 
	run INTEGER NOT NULL, 
	"key" TEXT NOT NULL, 
	said FLOAT NOT NULL, 
	written FLOAT NOT NULL, 
	server TEXT, 
	name TEXT, 
	entry TEXT, 
	body TEXT NOT NULL, 
	PRIMARY KEY (number), 
	CONSTRAINT servers_key UNIQUE (run, "key"), 
	FOREIGN KEY(run) REFERENCES runs (number) ON DELETE CASCADE
);
INSERT INTO "servers" VALUES(1,1,'92f8ea73f36a524222952c23c4a127e1',1.79534880238300609592e+09,1.79567597460105967516e+09,'10.0.0.1:5060/udp','sbc1.pbx.example.com','sbc','{"server":"10.0.0.1:5060/udp","name":"sbc1.pbx.example.com","entry":"sbc","priority":1,"transports":["udp"]}');
INSERT INTO "servers" VALUES(2,1,'afc75eec3e6a608847303910fbea2b9e',1.79534880238300609592e+09,1.79567597460105967516e+09,'10.0.0.2:5060/udp','sbc2.pbx.example.com','sbc','{"server":"10.0.0.2:5060/udp","name":"sbc2.pbx.example.com","entry":"sbc","priority":2,"transports":["udp"]}');
CREATE TABLE sipaudit_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT sipaudit_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "sipaudit_version" VALUES('0002');
CREATE TABLE tries (
	number INTEGER NOT NULL, 
	run INTEGER NOT NULL, 
	"key" TEXT NOT NULL, 
	said FLOAT NOT NULL, 
	written FLOAT NOT NULL, 
	line TEXT, 
	phone TEXT, 
	server TEXT, 
	method TEXT, 
	result TEXT, 
	time FLOAT, 
	body TEXT NOT NULL, 
	PRIMARY KEY (number), 
	CONSTRAINT tries_key UNIQUE (run, "key"), 
	FOREIGN KEY(run) REFERENCES runs (number) ON DELETE CASCADE
);
INSERT INTO "tries" VALUES(1,1,'adfbca919c97490a40444810d63d200d',1.79534903337064790729e+09,1.79567597460105967516e+09,'sip:1001@pbx.example.com','10.1.0.11:5060','10.0.0.1:5060/udp','REGISTER','answered',1.79534903337064790729e+09,'{"time":1795349033.370648,"server":"10.0.0.1:5060/udp","method":"REGISTER","result":"answered"}');
INSERT INTO "tries" VALUES(2,1,'dff483f57771133c2ba02deb95ac4b8c',1.79534916740588903431e+09,1.79567597460105967516e+09,'sip:1001@pbx.example.com','10.1.0.11:5060','10.0.0.1:5060/udp','REGISTER','answered',1.79534916740588903431e+09,'{"time":1795349167.405889,"server":"10.0.0.1:5060/udp","method":"REGISTER","result":"answered"}');
INSERT INTO "tries" VALUES(3,1,'491167a683d95e9470c0d636b7595bd3',1.79534907346709489816e+09,1.79567597460105967516e+09,'sip:1002@pbx.example.com','10.1.0.12:5060','10.0.0.1:5060/udp','REGISTER','answered',1.79534907346709489816e+09,'{"time":1795349073.467095,"server":"10.0.0.1:5060/udp","method":"REGISTER","result":"answered"}');
INSERT INTO "tries" VALUES(4,1,'9191866573290c86d7ea9aed99b3105c',1.79534916254214406017e+09,1.79567597460105967516e+09,'sip:1002@pbx.example.com','10.1.0.12:5060','10.0.0.1:5060/udp','REGISTER','answered',1.79534916254214406017e+09,'{"time":1795349162.542144,"server":"10.0.0.1:5060/udp","method":"REGISTER","result":"answered"}');
INSERT INTO "tries" VALUES(5,1,'2d3f2ffacd04e4cc061f64605554d2f7',1.79534904654044389724e+09,1.79567597460105967516e+09,'sip:1003@pbx.example.com','10.1.0.13:5060','10.0.0.1:5060/udp','REGISTER','answered',1.79534904654044389724e+09,'{"time":1795349046.540444,"server":"10.0.0.1:5060/udp","method":"REGISTER","result":"answered"}');
INSERT INTO "tries" VALUES(6,1,'ab36187fe41969d5217b2d40f79b61f2',1.79534913466616511345e+09,1.79567597460105967516e+09,'sip:1003@pbx.example.com','10.1.0.13:5060','10.0.0.1:5060/udp','REGISTER','answered',1.79534913466616511345e+09,'{"time":1795349134.666165,"server":"10.0.0.1:5060/udp","method":"REGISTER","result":"answered"}');
CREATE INDEX ix_runs_probe ON runs (probe);
CREATE INDEX captures_written ON captures (written);
CREATE INDEX servers_written ON servers (written);
CREATE INDEX lines_written ON lines (written);
CREATE INDEX moves_written ON moves (written);
CREATE INDEX moves_time ON moves (time);
CREATE INDEX registrations_written ON registrations (written);
CREATE INDEX registrations_until ON registrations (until);
CREATE INDEX findings_written ON findings (written);
CREATE INDEX findings_time ON findings (time);
CREATE INDEX incidents_written ON incidents (written);
CREATE INDEX incidents_since ON incidents (since);
CREATE INDEX counts_written ON counts (written);
CREATE INDEX health_written ON health (written);
CREATE INDEX health_said ON health (said);
CREATE INDEX tries_written ON tries (written);
CREATE INDEX tries_time ON tries (time);
CREATE INDEX calls_written ON calls (written);
CREATE INDEX calls_since ON calls (since);
CREATE INDEX minutes_written ON minutes (written);
CREATE INDEX minutes_time ON minutes (time);
CREATE INDEX events_written ON events (written);
CREATE INDEX events_time ON events (time);
CREATE INDEX notes_written ON notes (written);
COMMIT;
