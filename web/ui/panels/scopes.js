// @ts-check
// What apps and keys may do, in words.

/** @type {Record<string, string>} */
export const SCOPES = {
  "chat:read": "read messages",
  "chat:write": "send messages, join and leave channels",
  "chat:moderate": "moderate channels",
  identity: "know who you are",
  "session:manage": "manage this session",
};

/**
 * @param {string} scope the scopes, separated by blanks
 * @param {string[] | null | undefined} channels the channels that the access is restricted to, if
 * it is
 */
export function describeScope(scope, channels) {
  const rights = scope.split(" ").map((one) => SCOPES[one] ?? one);
  const where = channels ? `; only in ${channels.join(", ")}` : "";
  return `May ${rights.join("; ")}${where}`;
}
