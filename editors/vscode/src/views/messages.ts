import { l10n, ThemeColor, ThemeIcon, TreeItem } from "vscode";
import type { Knowledge } from "../knowledge";
import { ago, clockTime, isBroadcast, moment, oneLine, senderName, table } from "../words";
import { MessageNode } from "./nodes";
import { List } from "./refresh";

/** What others wrote: unread first, the newest first. */
export class MessagesList extends List<MessageNode> {
  constructor(knowledge: Knowledge) {
    super("deconflict.messages", knowledge);
  }

  getChildren(element?: MessageNode): MessageNode[] {
    if (element !== undefined) {
      return [];
    }
    // The server lists the oldest first; several may be of one moment.
    return [...this.knowledge.messages]
      .reverse()
      .sort((a, b) => Number(b.unread) - Number(a.unread) || (moment(b.timestamp) ?? 0) - (moment(a.timestamp) ?? 0))
      .map((message) => new MessageNode(message));
  }

  getTreeItem({ message }: MessageNode): TreeItem {
    const now = Date.now();
    const sender = senderName(message);
    const [subject, text] = [oneLine(message.subject ?? ""), oneLine(message.message)];
    const said = [subject, text].filter((part) => part !== "").join(": ") || l10n.t("(empty)");
    const item = new TreeItem(sender);
    item.id = `message ${message.id}`;
    const when = ago(message.timestamp, now);
    item.description = [said, isBroadcast(message) ? l10n.t("to all") : "", when].filter((part) => part !== "").join(" · ");
    const state = message.unread ? l10n.t("unread") : l10n.t("read");
    item.accessibilityInformation = { label: [l10n.t("{0} wrote", sender), said, when, state].join(", ") };
    item.iconPath = new ThemeIcon(
      message.unread ? "mail" : "mail-read",
      message.unread ? new ThemeColor("notificationsInfoIcon.foreground") : new ThemeColor("disabledForeground"),
    );
    item.contextValue = [
      "message",
      message.unread ? "unread" : "read",
      message.type === "release_request" ? "request" : "",
      message.path === null || message.path === undefined ? "" : "file",
    ]
      .filter((part) => part !== "")
      .join(" ");
    item.tooltip = table(subject === "" ? sender : subject, [
      [l10n.t("From"), senderName(message)],
      [l10n.t("To"), isBroadcast(message) ? l10n.t("all") : l10n.t("you")],
      [l10n.t("Sent"), clockTime(message.timestamp, now)],
      [l10n.t("About"), message.display_name],
      [l10n.t("Text"), message.message],
    ]);
    item.command = { command: "deconflict.openMessage", title: l10n.t("Open"), arguments: [new MessageNode(message)] };
    return item;
  }

  protected override refreshed(): void {
    const unread = this.knowledge.unread.length;
    this.view.badge =
      unread === 0
        ? undefined
        : { value: unread, tooltip: unread === 1 ? l10n.t("One unread message") : l10n.t("{0} unread messages", unread) };
  }
}
