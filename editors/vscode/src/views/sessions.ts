import { l10n, ThemeColor, ThemeIcon, TreeItem, TreeItemCollapsibleState } from "vscode";
import type { Knowledge } from "../knowledge";
import type { Session, SessionState } from "../protocol";
import { ago, clockTime, oneLine, sessionName, table } from "../words";
import { claimItem } from "./claims";
import { ClaimNode, type Node, SessionNode } from "./nodes";
import { List } from "./refresh";
import type { Places } from "../places";

/** Alive first; those that are gone or done last. */
const ORDER: Record<SessionState, number> = { live: 0, silent: 1, gone: 2, completed: 3 };

/** Who is here: this session first, what each works on and holds, and what needs coordinating. */
export class SessionsList extends List<Node> {
  constructor(
    knowledge: Knowledge,
    private readonly places: Places,
  ) {
    super("deconflict.sessions", knowledge);
  }

  getChildren(element?: Node): Node[] {
    if (element === undefined) {
      const sessions = [...this.knowledge.sessions].sort(
        (a, b) =>
          Number(b.own === true) - Number(a.own === true) ||
          ORDER[a.state] - ORDER[b.state] ||
          a.label.localeCompare(b.label) ||
          a.session_id.localeCompare(b.session_id),
      );
      return sessions.map((session) => new SessionNode(session));
    }
    return element.kind === "session" ? this.claimsOf(element.session) : [];
  }

  getTreeItem(element: Node): TreeItem {
    if (element.kind === "claim") {
      return claimItem(element.claim, this.places, Date.now(), true);
    }
    return element.kind === "session" ? this.sessionItem(element.session) : new TreeItem("");
  }

  protected override refreshed(): void {
    const { findings } = this.knowledge;
    const [first, ...more] = findings.map(({ message }) => `⚠ ${oneLine(this.withNames(message), 160)}`);
    this.view.message =
      first === undefined || more.length === 0 ? (first ?? "") : l10n.t("{0} ({1} more on the status board)", first, more.length);
  }

  /** Findings name sessions with their ids, which matter only where two are called the same. */
  private withNames(text: string): string {
    let named = text;
    for (const session of this.knowledge.sessions) {
      const label = sessionName(session, this.knowledge.sessions);
      const name = session.own === true ? l10n.t("{0} (you)", label) : label;
      named = named.replaceAll(`${session.label} (${session.session_id})`, name);
    }
    return named;
  }

  private claimsOf(session: Session): ClaimNode[] {
    const held = this.knowledge.claims.filter((claim) => claim.claimed_by === session.session_id);
    return held.map((claim) => new ClaimNode(claim));
  }

  private sessionItem(session: Session): TreeItem {
    const now = Date.now();
    const held = this.claimsOf(session).length;
    const isMuted = this.knowledge.muted.includes(session);
    const item = new TreeItem(
      sessionName(session, this.knowledge.sessions),
      held > 0 ? TreeItemCollapsibleState.Collapsed : TreeItemCollapsibleState.None,
    );
    item.id = `session ${session.session_id}`;
    item.description = [
      session.own === true ? l10n.t("you") : undefined,
      session.own === true || session.state === "live" ? undefined : stateWord(session.state),
      isMuted ? l10n.t("muted") : undefined,
      oneLine(session.current_work ?? ""),
      oneLine(session.progress ?? "", 20),
    ]
      .filter((part) => part !== undefined && part !== "")
      .join(" · ");
    item.iconPath = stateIcon(session);
    item.contextValue = `session ${session.own === true ? "own" : "other"} ${session.state}${isMuted ? " muted" : ""}`;
    item.tooltip = table(oneLine(session.label), [
      [l10n.t("State"), stateWord(session.state)],
      [l10n.t("Works on"), session.current_work],
      [l10n.t("Phase"), session.phase],
      [l10n.t("Progress"), session.progress],
      [l10n.t("Next"), session.next_action],
      [l10n.t("Expects to be done"), session.estimated_completion],
      [l10n.t("Editor or agent"), session.client],
      [l10n.t("User"), session.user],
      [l10n.t("Branch"), session.branch],
      [l10n.t("Worktree"), session.worktree],
      [l10n.t("Here since"), clockTime(session.started_at, now)],
      [l10n.t("Last sign"), ago(session.last_heartbeat, now)],
      [l10n.t("Session"), session.session_id],
    ]);
    item.accessibilityInformation = {
      label: `${session.label}, ${stateWord(session.state)}${item.description === "" ? "" : `, ${item.description}`}`,
    };
    return item;
  }
}

function stateWord(state: SessionState): string {
  switch (state) {
    case "live":
      return l10n.t("alive");
    case "silent":
      return l10n.t("silent");
    case "gone":
      return l10n.t("gone");
    case "completed":
      return l10n.t("done");
  }
}

function stateIcon(session: Session): ThemeIcon {
  switch (session.state) {
    case "live":
      return session.own === true
        ? new ThemeIcon("account", new ThemeColor("deconflict.heldByYouForeground"))
        : new ThemeIcon("circle-filled", new ThemeColor("testing.iconPassed"));
    case "silent":
      return new ThemeIcon("circle-outline", new ThemeColor("list.warningForeground"));
    case "gone":
      return new ThemeIcon("circle-slash", new ThemeColor("disabledForeground"));
    case "completed":
      return new ThemeIcon("pass", new ThemeColor("disabledForeground"));
  }
}
