-- recent_conversations, conversations: the messages of a conversation
CREATE INDEX messages_by_conversation ON messages (conversation_id, at);
