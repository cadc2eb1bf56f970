CREATE TABLE settings (id INTEGER PRIMARY KEY CHECK (id = 1), schema_version INTEGER NOT NULL DEFAULT 18);
CREATE TABLE chats (id TEXT PRIMARY KEY, title TEXT NOT NULL DEFAULT '', created_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP, browser_state TEXT);
CREATE TABLE messages (id INTEGER PRIMARY KEY AUTOINCREMENT, chat_id TEXT NOT NULL, role TEXT NOT NULL, content TEXT NOT NULL DEFAULT '', thinking TEXT NOT NULL DEFAULT '', stream BOOLEAN NOT NULL DEFAULT 0, model_name TEXT, model_cloud BOOLEAN, model_ollama_host BOOLEAN, created_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP, updated_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP, thinking_time_start TIMESTAMP, thinking_time_end TIMESTAMP, tool_result TEXT);
CREATE TABLE tool_calls (id INTEGER PRIMARY KEY AUTOINCREMENT, message_id INTEGER NOT NULL, type TEXT NOT NULL, function_name TEXT NOT NULL, function_arguments TEXT NOT NULL, function_result TEXT);
CREATE TABLE attachments (id INTEGER PRIMARY KEY AUTOINCREMENT, message_id INTEGER NOT NULL, filename TEXT NOT NULL, data BLOB NOT NULL);
INSERT INTO chats VALUES ('o-1', 'From Ollama', '2026-02-03 04:05:06.123456789+01:00', NULL), ('o-2', 'Second', '2026-02-04 00:00:00', '{}');
INSERT INTO messages (id, chat_id, role, content, thinking, stream, model_name, created_at, updated_at, thinking_time_start, thinking_time_end) VALUES
 (1, 'o-1', 'user', 'Why?', '', 0, NULL, '2026-02-03 04:05:07+01:00', '2026-02-03 04:05:07+01:00', NULL, NULL),
 (2, 'o-1', 'assistant', '', 'Search first.', 0, 'qwen3:30b', '2026-02-03 04:05:08+01:00', '2026-02-03 04:05:09+01:00', '2026-02-03 04:05:08+01:00', '2026-02-03 04:05:09.5+01:00'),
 (3, 'o-1', 'tool', 'found', '', 0, NULL, '2026-02-03 04:05:10+01:00', '2026-02-03 04:05:10+01:00', NULL, NULL),
 (4, 'o-1', 'assistant', 'Because.', '', 0, 'qwen3:30b', '2026-02-03 04:05:11+01:00', '2026-02-03 04:05:12+01:00', NULL, NULL),
 (5, 'o-2', 'user', 'Only a question', '', 0, NULL, '2026-02-04 00:00:01', '2026-02-04 00:00:01', NULL, NULL);
INSERT INTO tool_calls (message_id, type, function_name, function_arguments) VALUES (2, 'function', 'web_search', '{}');
INSERT INTO attachments (message_id, filename, data) VALUES (1, 'dot.png', x'89504e470d0a1a0a00'), (1, 'notes.txt', x'616263');
