CREATE TABLE chat (id TEXT NOT NULL PRIMARY KEY, name TEXT NOT NULL, folder TEXT);
CREATE TABLE folder (id TEXT NOT NULL PRIMARY KEY, name TEXT NOT NULL, color TEXT, parent TEXT);
CREATE TABLE message (id TEXT NOT NULL PRIMARY KEY, chat_id TEXT NOT NULL, role TEXT NOT NULL, model TEXT, date_time DATETIME NOT NULL, content TEXT NOT NULL);
CREATE TABLE attachment (id TEXT NOT NULL PRIMARY KEY, message_id TEXT NOT NULL, type TEXT NOT NULL, name TEXT NOT NULL, content TEXT NOT NULL);
INSERT INTO folder VALUES ('f1', 'Work', NULL, NULL), ('f2', 'Models', NULL, 'f1');
INSERT INTO chat VALUES ('a-1', 'From Alpaca', 'f2');
INSERT INTO message VALUES ('p1', 'a-1', 'user', NULL, '2025/05/06 07:08:09', 'Sum this up'),
 ('p2', 'a-1', 'assistant', 'deepseek-r1:8b', '2025/05/06 07:08:20', '<think>
Short.
</think>

A summary.'),
 ('p3', 'a-1', 'assistant', 'deepseek-r1:8b', '2025/05/06 07:09:20', 'Again.');
INSERT INTO attachment VALUES ('b1', 'p1', 'plain_text', 'notes.txt', 'words of the file'), ('b2', 'p1', 'image', 'd.png', 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=='),
 ('b3', 'p3', 'thought', 'Thought', 'Once more.'), ('b4', 'p3', 'tool', 'search', '{}');
