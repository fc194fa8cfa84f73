import { basename } from "node:path";
import { l10n, ThemeColor, ThemeIcon, TreeItem } from "vscode";
import type { FileHistory } from "../fileHistory";
import type { Knowledge } from "../knowledge";
import type { Cause } from "../protocol";
import { ago, authorName, causeWords, clockTime, extent, oneLine, table } from "../words";
import { ChangeNode } from "./nodes";
import { List } from "./refresh";

const ICONS: Record<Cause, string> = {
  edit: "edit",
  save: "save",
  command: "terminal",
  restore: "discard",
  unknown: "question",
};

/** What was changed in the file in front: by whom, by what and when, the newest first. */
export class HistoryList extends List<ChangeNode> {
  constructor(
    knowledge: Knowledge,
    private readonly history: FileHistory,
  ) {
    super("deconflict.history", knowledge);
    history.watched(this.view.visible);
    this.subscribe(
      history.onChange(() => {
        this.refresh();
      }),
      this.view.onDidChangeVisibility(({ visible }) => {
        history.watched(visible);
      }),
    );
  }

  getChildren(element?: ChangeNode): ChangeNode[] {
    const { uri, changes } = this.history;
    return element !== undefined || uri === undefined ? [] : changes.map((change) => new ChangeNode(uri, change));
  }

  getTreeItem(node: ChangeNode): TreeItem {
    const { change, uri } = node;
    const now = Date.now();
    const who = authorName(change, this.knowledge.session?.session_id);
    const [what, lines, when] = [causeWords(change), extent(change), ago(change.at, now)];
    const item = new TreeItem(who);
    item.id = `change ${change.id}`;
    item.description = [lines, what, when].filter((part) => part !== "").join(" · ");
    const isUnknown = change.cause === "unknown";
    item.iconPath = new ThemeIcon(ICONS[change.cause], isUnknown ? new ThemeColor("list.warningForeground") : undefined);
    item.contextValue = "change";
    item.tooltip = table(who, [
      [l10n.t("When"), clockTime(change.at, now)],
      [l10n.t("How"), change.command === undefined ? what : l10n.t("by a command")],
      [l10n.t("Command"), change.command],
      [l10n.t("Lines"), lines],
      [l10n.t("May have been"), this.namesOf(change.candidates ?? [])],
      [l10n.t("Change"), change.id],
    ]);
    item.command = { command: "deconflict.openChange", title: l10n.t("Show Diff"), arguments: [node] };
    const spoken = [basename(uri.fsPath), who, what, lines, when].filter((part) => part !== "");
    item.accessibilityInformation = { label: spoken.join(", ") };
    return item;
  }

  protected override refreshed(): void {
    const { uri } = this.history;
    this.view.description = uri === undefined ? "" : basename(uri.fsPath);
  }

  private namesOf(sessions: readonly string[]): string {
    return sessions.map((id) => oneLine(this.knowledge.sessionOf(id)?.label ?? id, 40)).join(", ");
  }
}
