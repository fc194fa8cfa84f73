import { commands, l10n, window } from "vscode";
import { askSession, askText } from "../ask";
import type { Tools } from "../tools";
import { BROADCAST } from "../protocol";
import { ClaimNode, MessageNode, SessionNode } from "../views/nodes";
import { oneLine, resourceName, senderName } from "../words";
import { activeFile, type Argument, givenSubjects, menuArgument } from "./target";

/** What somebody can do with messages. */
export function messageCommands(tools: Tools): Record<string, (argument: Argument) => Promise<void>> {
  const { server, knowledge, messageDocuments } = tools;

  async function sendMessage(argument: Argument): Promise<void> {
    const menu = menuArgument(argument);
    const given =
      argument instanceof SessionNode
        ? argument.session.session_id
        : argument instanceof ClaimNode
          ? argument.claim.claimed_by
          : menu.to;
    const to = given ?? (await askSession(knowledge, l10n.t("Send Message"), { everyone: true }));
    if (to === undefined) {
      return;
    }
    const name = recipientName(to);
    const [about] = argument instanceof SessionNode ? [] : givenSubjects(argument);
    const suggestion = menu.subject ?? (argument instanceof ClaimNode ? resourceName(argument.claim) : "");
    const subject =
      suggestion !== "" ? suggestion : await askText(l10n.t("Message {0}", name), l10n.t("What is it about, in a few words"));
    if (subject === undefined) {
      return;
    }
    const body = menu.message ?? (await askText(l10n.t("Message {0}", name), l10n.t("{0}: what do you want to say?", oneLine(subject))));
    if (body === undefined) {
      return;
    }
    const message = [body, menu.quotation ?? ""].filter((part) => part !== "").join("\n\n");
    const argumentOfServer = { to, subject, message, ...(about?.uri === undefined ? {} : { uri: about.uri }) };
    if ((await server.execute("sendMessage", argumentOfServer)) !== undefined) {
      sent(name);
    }
  }

  async function reply(argument: Argument): Promise<void> {
    if (!(argument instanceof MessageNode)) {
      return;
    }
    const { message } = argument;
    if (message.from === undefined) {
      void window.showWarningMessage(l10n.t("This message has no sender to whom one could reply."));
      return;
    }
    const name = senderName(message);
    const about = oneLine(message.subject ?? "") || oneLine(message.message);
    const body = await askText(l10n.t("Reply to {0}", name), oneLine(about, 120));
    if (body === undefined) {
      return;
    }
    const subject = /^re:/i.test(about) ? about : `Re: ${about}`;
    const answer = await server.execute("sendMessage", { to: message.from, subject, message: body, inReplyTo: message.id });
    if (answer !== undefined) {
      sent(name);
      await markRead([message.id]);
    }
  }

  async function openMessage(argument: Argument): Promise<void> {
    if (argument instanceof MessageNode) {
      await messageDocuments.show(argument.message);
      if (argument.message.unread) {
        await markRead([argument.message.id]);
      }
    }
  }

  async function markMessageRead(argument: Argument): Promise<void> {
    if (argument instanceof MessageNode) {
      await markRead([argument.message.id]);
    }
  }

  async function markRead(ids: readonly string[]): Promise<void> {
    await server.execute("markRead", { ids });
    await knowledge.read();
  }

  async function markAllRead(): Promise<void> {
    const ids = knowledge.unread.map((message) => message.id);
    if (ids.length > 0) {
      await markRead(ids);
    } else {
      window.setStatusBarMessage(`$(check) ${l10n.t("There is nothing unread")}`, 5_000);
    }
  }

  /** The only unread message, or the list of them. */
  async function messages(): Promise<void> {
    const [first, ...more] = knowledge.unread;
    await commands.executeCommand("deconflict.messages.focus");
    if (first !== undefined && more.length === 0) {
      await openMessage(new MessageNode(first));
    }
  }

  function recipientName(to: string): string {
    return to === BROADCAST ? l10n.t("everyone") : oneLine(knowledge.sessionOf(to)?.label ?? to, 40);
  }

  return { sendMessage, reply, openMessage, markMessageRead, markRead: markAllRead, messages };
}

function sent(name: string): void {
  window.setStatusBarMessage(`$(check) ${l10n.t("Sent to {0}", name)}`, 5_000);
}

/** What the user is at, as a suggestion. */
export function suggestedWork(): string {
  const file = activeFile();
  return file === undefined ? "" : (file.path.split("/").at(-1) ?? "");
}
