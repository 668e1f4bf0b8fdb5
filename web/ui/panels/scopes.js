// @ts-check
// What apps and keys may do, in words.

/** @type {Record<string, string>} */
export const SCOPES = {
  "chat:read": "read messages",
  "chat:write": "write, join and leave",
  "chat:moderate": "moderate channels",
  identity: "know who you are",
  "session:manage": "manage this session",
};

/**
 * @param {string} scope the scopes, with blanks between them
 * @param {string[] | null | undefined} channels the only ones, if there is a choice
 */
export function describeScope(scope, channels) {
  const rights = scope.split(" ").map((one) => SCOPES[one] ?? one);
  const where = channels ? `; only in ${channels.join(", ")}` : "";
  return `May ${rights.join("; ")}${where}`;
}
