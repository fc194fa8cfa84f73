import { l10n, MarkdownString } from "vscode";
import { blocks, BROADCAST, type Change, type Claim, type Message, type Session } from "./protocol";

/** So long may a foreign text be in one line of a list. */
const LONGEST = 80;
/** So many names are listed before the rest is counted. */
const MOST_NAMED = 3;
/** In milliseconds. */
const HALF_A_DAY = 12 * 60 * 60_000;

/** Another's text on one line, without control characters, cut to a length that fits. */
export function oneLine(text: string, longest = LONGEST): string {
  const plain = text.replace(/[\p{Cc}\p{Cf}\s]+/gu, " ").trim();
  const characters = Array.from(plain);
  return characters.length <= longest ? plain : `${characters.slice(0, longest - 1).join("")}…`;
}

/** What to call the claimed thing. */
export function resourceName(claim: Claim): string {
  const name = oneLine(claim.display_name ?? claim.resource_name, 200);
  switch (claim.resource_type) {
    case "file":
      return name;
    case "directory":
      return `${name}/`;
    default:
      return `${claim.resource_type} ${name}`;
  }
}

/** What to call the holder. */
export function holderName(claim: Claim): string {
  return claim.own === true ? l10n.t("you") : oneLine(claim.holder_label ?? claim.claimed_by ?? l10n.t("somebody"), 40);
}

/** "a, b, c and 4 more", in the order of the alphabet. */
export function enumeration(names: readonly string[]): string {
  const inOrder = [...names].sort((one, other) => one.localeCompare(other));
  const [shown, rest] = [inOrder.slice(0, MOST_NAMED), names.length - MOST_NAMED];
  return rest > 0 ? l10n.t("{0} and {1} more", shown.join(", "), rest) : shown.join(", ");
}

/** What to call whoever sent a message. */
export function senderName(message: Message): string {
  return oneLine(message.sender_label ?? message.from ?? l10n.t("Somebody"), 40);
}

/** What to call a session: as every other surface does. */
export function sessionName(session: Session): string {
  return oneLine(session.label, 40);
}

/** Since when or until when something is held, as everywhere else, or what became of the claim. */
export function claimPeriod(claim: Claim, now: number): string {
  switch (claim.standing) {
    case "expired":
      return l10n.t("expired");
    case "abandoned":
      return l10n.t("abandoned");
    case "idle":
      return l10n.t("left alone");
    case "pending":
      return l10n.t("being written");
    case "damaged":
      return l10n.t("damaged");
    case "uncommitted":
      return l10n.t("uncommitted, last changed {0}", clockTime(claim.claimed_at, now));
    case "active":
      return claim.automatic === true
        ? l10n.t("since {0}", clockTime(claim.claimed_at, now))
        : l10n.t("until {0}", clockTime(claim.active_until, now));
  }
}

/** A clock time, with its date where it is another day's and far away. */
export function clockTime(text: string | undefined, now = Date.now()): string {
  const at = moment(text);
  if (at === undefined) {
    return "";
  }
  const date = new Date(at);
  const time = date.toLocaleTimeString(undefined, { hour: "2-digit", minute: "2-digit", hour12: false });
  // Close to midnight a time alone is as clear, and shorter.
  const isNear = Math.abs(at - now) <= HALF_A_DAY || date.toDateString() === new Date(now).toDateString();
  return isNear ? time : `${date.toLocaleDateString()} ${time}`;
}

/** A length of time: "3 min", "2 h 5 min". */
function span(milliseconds: number): string {
  const minutes = Math.max(0, Math.round(milliseconds / 60_000));
  if (minutes < 1) {
    return l10n.t("under a minute");
  }
  const hours = Math.floor(minutes / 60);
  if (hours < 1) {
    return l10n.t("{0} min", minutes);
  }
  if (hours >= 48) {
    return l10n.t("{0} days", Math.round(hours / 24));
  }
  return minutes % 60 === 0 ? l10n.t("{0} h", hours) : l10n.t("{0} h {1} min", hours, minutes % 60);
}

/** How long ago something was. */
export function ago(text: string | undefined, now: number): string {
  const at = moment(text);
  if (at === undefined) {
    return "";
  }
  return now - at < 60_000 ? l10n.t("just now") : l10n.t("{0} ago", span(now - at));
}

/** Milliseconds since 1970. */
export function moment(text: string | undefined): number | undefined {
  const at = text === undefined ? Number.NaN : Date.parse(text);
  return Number.isNaN(at) ? undefined : at;
}

/** One sentence on a claim, for tooltips. */
export function aboutClaim(claim: Claim, now: number): string {
  const name = holderName(claim);
  if (claim.standing === "uncommitted") {
    return l10n.t("{0} has uncommitted changes of it, last changed {1}", name, clockTime(claim.claimed_at, now));
  }
  if (!blocks(claim)) {
    return l10n.t("Free: the claim by {0} no longer counts ({1})", name, claimPeriod(claim, now));
  }
  const since = clockTime(claim.claimed_at, now);
  if (claim.own === true) {
    return claim.automatic === true
      ? l10n.t("You have been editing this since {0}", since)
      : l10n.t("You hold this until {0}", clockTime(claim.active_until, now));
  }
  return claim.automatic === true
    ? sentence(l10n.t("{0} has been editing this since {1}", name, since))
    : sentence(l10n.t("{0} holds this until {1}", name, clockTime(claim.active_until, now)));
}

/** Words that may begin with "you" or "your Neovim", as the beginning of a sentence. */
export function sentence(words: string): string {
  return words.replace(/^you(r?) /, "You$1 ");
}

/** The same as a warning: who, and what. */
export function warning(claim: Claim, now: number): string {
  const [holder, file] = [holderName(claim), resourceName(claim)];
  return claim.automatic === true
    ? sentence(l10n.t("{0} has been editing {1} since {2}.", holder, file, clockTime(claim.claimed_at, now)))
    : sentence(l10n.t("{0} holds {1} until {2}.", holder, file, clockTime(claim.active_until, now)));
}

/** Who made a change. */
export function authorName(change: Change, ownSession?: string): string {
  if (change.session !== undefined && change.session === ownSession) {
    return l10n.t("you");
  }
  return change.label === undefined ? l10n.t("unknown") : oneLine(change.label, 40);
}

/** What brought a change about. */
export function causeWords(change: Change): string {
  switch (change.cause) {
    case "edit":
      return l10n.t("edited");
    case "save":
      return l10n.t("saved");
    case "command":
      return change.command === undefined ? l10n.t("by a command") : oneLine(change.command, 40);
    case "restore":
      return l10n.t("restored");
    case "unknown":
      // That nobody is known says it.
      return "";
  }
}

/** How many lines came and went, and whether the file did. */
export function extent(change: Change): string {
  const whole =
    change.before === undefined ? l10n.t("created") : change.after === undefined ? l10n.t("deleted") : undefined;
  const lines = [change.added > 0 ? `+${change.added}` : "", change.removed > 0 ? `−${change.removed}` : ""];
  return [whole ?? "", ...lines].filter((part) => part !== "").join(" ");
}

/** A change as it is named in a title: who, and when. */
export function changeTitle(change: Change): string {
  return `${authorName(change)}, ${clockTime(change.at)}`;
}

/** Lines of "what: value" with every foreign text escaped. */
export function table(title: string, rows: readonly (readonly [string, string | null | undefined])[]): MarkdownString {
  const markdown = new MarkdownString();
  markdown.appendMarkdown("**").appendText(title).appendMarkdown("**\n\n");
  for (const [name, value] of rows) {
    if (typeof value === "string" && value.trim() !== "") {
      markdown.appendMarkdown("- ").appendText(`${name}: ${oneLine(value, 300)}`).appendMarkdown("\n");
    }
  }
  return markdown;
}

/** True if a message was for everyone. */
export function isBroadcast(message: Message): boolean {
  return message.to?.toLowerCase() === BROADCAST;
}
