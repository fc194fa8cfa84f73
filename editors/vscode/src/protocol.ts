/** What the server answers and tells, as far as it is used here. Field names are those of the records on disk. */

/** How a session fares. */
export type SessionState = "live" | "silent" | "gone" | "completed";

/** One person's editor, terminal, or agent. */
export interface Session {
  readonly session_id: string;
  /** What to call it. */
  readonly label: string;
  readonly state: SessionState;
  /** True for the session of this window. */
  readonly own?: boolean;
  readonly client?: string;
  /** Which coding agent it is, and whether that works or waits for its user. */
  readonly agent?: string;
  readonly turn?: "working" | "waiting";
  /** Whose it is, as people are called. */
  readonly person?: string;
  /** The folder whose coordination directory it is in. */
  readonly repository?: string | null;
  readonly user?: string;
  readonly host?: string;
  readonly branch?: string;
  readonly worktree?: string;
  /** It promises to give a sign so often, in seconds, as servers of editors do. */
  readonly keepalive?: number;
  readonly started_at?: string;
  readonly last_heartbeat?: string;
  readonly last_sign?: string;
  readonly ended_at?: string;
  readonly current_work?: string;
  readonly phase?: string;
  readonly progress?: string;
  readonly next_action?: string;
  readonly estimated_completion?: string;
  /** Of which sessions it wants to hear nothing, and until when. */
  readonly muted?: Readonly<Record<string, string>>;
}

/** What a claim is worth. */
export type Standing = "active" | "idle" | "expired" | "abandoned" | "pending" | "damaged" | "uncommitted";

/** Somebody's claim of a file, a folder or anything else. */
export interface Claim {
  readonly resource_type: string;
  readonly resource_name: string;
  /** What to call the resource. */
  readonly display_name?: string;
  readonly claimed_by?: string;
  /** What to call the holder. */
  readonly holder_label?: string;
  readonly standing: Standing;
  /** True if this window's session holds it. */
  readonly own?: boolean;
  /** The folder whose coordination directory it is in. */
  readonly repository?: string | null;
  /** Where the file or folder is on this disk. */
  readonly path?: string | null;
  readonly claimed_at?: string;
  /** Until when it counts, whatever the record says. */
  readonly active_until?: string;
  readonly automatic?: boolean;
  readonly phase?: string;
  readonly branch?: string;
  readonly allow_coordination?: boolean;
  /** It is of the machine, for all clones, and not of this one. */
  readonly machine?: boolean;
  /** Ties a command to this very holding. */
  readonly expected?: Expected;
}

/** Somebody who waits in line. */
export interface Place {
  /** What is waited for, as people call it. */
  readonly resource: string;
  /** `{type}/{name}` of what is waited for first. */
  readonly wanted?: string | null;
  /** The first in line has place 1. */
  readonly place: number;
  readonly session?: string;
  /** What to call who waits. */
  readonly label?: string;
  readonly since: string;
  /** Their turn came, and they did not take it. */
  readonly passed: boolean;
  readonly ticket: string;
  /** True if it is the user who waits, in a terminal or by an agent. */
  readonly own?: boolean;
  readonly repository?: string | null;
  readonly machine?: boolean;
}

/** A claim as it was when somebody decided about it. */
export interface Expected {
  readonly session: string | null;
  readonly resource: string;
  readonly id: string | null;
  readonly generation: string | null;
}

/** What one session wrote to another or to all. */
export interface Message {
  readonly id: string;
  readonly from?: string;
  /** What to call the sender. */
  readonly sender_label?: string;
  readonly to?: string;
  readonly timestamp?: string;
  readonly type?: string;
  readonly subject?: string;
  readonly message: string;
  readonly in_reply_to?: string;
  /** `{type}/{name}`. */
  readonly resource?: string;
  readonly display_name?: string | null;
  readonly path?: string | null;
  readonly unread: boolean;
}

/** Something that people should talk about. */
export interface Finding {
  /** What it is, such as `overwritten`. */
  readonly kind?: string;
  readonly message: string;
  /** What it is about. */
  readonly resource_name?: string;
  /** Who edits it, or asks for it. */
  readonly session?: { readonly session_id: string };
  /** Who holds it. */
  readonly holder?: { readonly session_id: string } | null;
  /** Whose change it was. */
  readonly by?: { readonly session_id: string } | null;
  /** Who lost something by it. */
  readonly owner?: { readonly session_id: string };
}

/** What brought a change about. */
export type Cause = "edit" | "save" | "command" | "restore" | "unknown";

/** A change of a file, as the journal has it. */
export interface Change {
  readonly id: string;
  readonly at: string;
  readonly cause: Cause;
  readonly command?: string;
  readonly session?: string;
  /** What to call whoever made it. */
  readonly label?: string;
  /** Sessions of which one may have made it. */
  readonly candidates?: readonly string[];
  /** What git calls the content; there is none where the file was absent. */
  readonly before?: string;
  readonly after?: string;
  readonly added: number;
  readonly removed: number;
}

/** What stood in a file before and after a change: nothing where it is not kept or no text. */
export interface ChangeTexts {
  readonly before?: string | null;
  readonly after?: string | null;
}

/** Whose a line is. */
export interface BlamedLine {
  /** Counted from 1. */
  readonly line: number;
  readonly at: string;
  readonly session?: string;
  readonly label?: string;
  readonly commit?: string;
  /** Who wrote the commit, as git says. */
  readonly author?: string;
}

/** What `deconflict.status` answers. */
export interface Status {
  readonly session: Session | null;
  readonly sessions: readonly Session[];
  readonly claims: readonly Claim[];
  /** Who waits in line. */
  readonly waiting: readonly Place[];
  /** The same of what the machine has once, for all clones. */
  readonly machine: { readonly claims: readonly Claim[]; readonly waiting: readonly Place[] };
  readonly coordinationNeeded: readonly Finding[];
}

/** What `deconflict/status` tells. */
export interface StatusNotification {
  readonly session: { readonly session_id: string; readonly label: string } | null;
  readonly state: "active" | "observing" | "ready" | "inactive";
  readonly messages: { readonly unread: number };
}

/** What a change by somebody else took from the user. */
export interface Loss {
  readonly uri: string;
  /** The change. */
  readonly entry: string;
  /** The diagnostic that stays until it is settled. */
  readonly code: "overwritten" | "deleted";
  /** What happened, in one sentence. */
  readonly sentence: string;
}

/** A file of others that the user deleted or moved away. */
export interface Taken {
  readonly uri: string;
  /** The change. */
  readonly entry: string;
  /** Nothing stands there any more. */
  readonly is_deleted: boolean;
  /** What happened, in one sentence or two. */
  readonly sentence: string;
}

/** Somebody who began to edit what the user holds. */
export interface Contended {
  readonly session: string;
  /** The file, if it is open. */
  readonly uri?: string | null;
  /** Who edits what, in one sentence without its full stop. */
  readonly sentence: string;
}

/** What `deconflict/notice` tells: a text for the user, and what it is about. */
export interface Notice {
  /** As in `window/showMessage`: 1 error, 2 warning, 3 information. */
  readonly level: number;
  readonly text: string;
  readonly about?:
    | { readonly kind: "held"; readonly uri: string; readonly claim: Claim }
    | { readonly kind: "contended"; readonly all: readonly Contended[] }
    | ({ readonly kind: "lost" } & Loss)
    | ({ readonly kind: "took" } & Taken)
    | { readonly kind: "message"; readonly message: Message }
    | { readonly kind: "messages" };
}

/** A command that was not carried out. */
export interface Refusal {
  readonly ok: false;
  readonly reason: string;
  readonly message: string;
  readonly claim?: Claim;
}

/** What a command answers. */
export type Answer<T = object> = (T & { readonly ok: true }) | Refusal;

/** The recipient that means everyone. */
export const BROADCAST = "broadcast";

/** True if the claim keeps others out. */
export function blocks(claim: Claim): boolean {
  return claim.standing !== "expired" && claim.standing !== "abandoned" && claim.standing !== "uncommitted";
}

/** True if anyone may take the claim over without force. */
export function isStale(claim: Claim): boolean {
  return claim.standing === "expired" || claim.standing === "abandoned" || claim.standing === "idle";
}

/** True for a coding agent whose turn has ended. */
export function isWaiting(session: Session): boolean {
  return session.agent !== undefined && session.turn === "waiting";
}

/** True for a session that can be written to. */
export function isHere(session: Session): boolean {
  return session.state === "live" || session.state === "silent";
}
