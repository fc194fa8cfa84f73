import { commands, l10n, Uri, window } from "vscode";
import { askSession, askText } from "../ask";
import type { Tools } from "../tools";
import { messageOfLink } from "../conversations";
import { BROADCAST, type Message } from "../protocol";
import { ClaimNode, MessageNode, SessionNode } from "../views/nodes";
import { oneLine, resourceName, senderName } from "../words";
import { activeFile, type Argument, givenSubjects, menuArgument } from "./target";

/** What somebody can do with messages. */
export function messageCommands(tools: Tools): Record<string, (argument: Argument) => Promise<void>> {
  const { server, knowledge, places, conversations } = tools;

  async function sendMessage(argument: Argument): Promise<void> {
    const menu = menuArgument(argument);
    const [about] = argument instanceof SessionNode ? [] : givenSubjects(argument);
    const to = recipientOf(argument, about?.uri) ?? (await askSession(knowledge, l10n.t("Send Message"), { everyone: true }));
    if (to === undefined) {
      return;
    }
    const name = recipientName(to);
    const subject = menu.subject ?? (argument instanceof ClaimNode ? resourceName(argument.claim) : "");
    const prompt = subject === "" ? l10n.t("What do you want to say?") : l10n.t("{0}: what do you want to say?", oneLine(subject));
    const body = menu.message ?? (await askText(l10n.t("Message {0}", name), prompt));
    if (body === undefined) {
      return;
    }
    const message = [body, menu.quotation ?? ""].filter((part) => part !== "").join("\n\n");
    const argumentOfServer = { to, subject, message, ...(about?.uri === undefined ? {} : { uri: about.uri }) };
    if ((await server.execute("sendMessage", argumentOfServer)) !== undefined) {
      sent(name);
      conversations.refresh();
    }
  }

  /** Whom a row or a menu is about: a session, a claim's holder, or who holds the file. */
  function recipientOf(argument: Argument, uri: string | undefined): string | undefined {
    if (argument instanceof SessionNode) {
      return argument.session.session_id;
    }
    if (argument instanceof ClaimNode) {
      return argument.claim.claimed_by;
    }
    const [held] = uri === undefined ? [] : places.claimsOf(Uri.parse(uri), knowledge.othersClaims);
    return menuArgument(argument).to ?? held?.claimed_by;
  }

  /** Answers the message that is given, else the one in front, else the newest of those that are unread. */
  async function reply(argument: Argument): Promise<void> {
    const message =
      argument instanceof MessageNode
        ? argument.message
        : (messageOfLink(argument, knowledge.messages)?.message ?? conversations.inFront() ?? newest());
    if (message === undefined) {
      void window.showInformationMessage(l10n.t("You have no messages."));
      return;
    }
    if (message.from === undefined) {
      void window.showWarningMessage(l10n.t("This message has no sender you could reply to."));
      return;
    }
    const name = senderName(message);
    const about = oneLine(message.subject ?? "") || oneLine(message.message);
    const body = await askText(l10n.t("Reply to {0}", name), l10n.t("Your answer to “{0}”", oneLine(about, 120)));
    if (body === undefined) {
      return;
    }
    const subject = /^re:/i.test(about) ? about : `Re: ${about}`;
    const answer = await server.execute("sendMessage", { to: message.from, subject, message: body, inReplyTo: message.id });
    if (answer !== undefined) {
      sent(name);
      conversations.refresh();
      await markRead([message.id]);
    }
  }

  async function openMessage(argument: Argument): Promise<void> {
    if (argument instanceof MessageNode) {
      await conversations.show(argument.message);
      await markRead([argument.message.id]);
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

  /** The conversation with what is unread, or the list where several wrote. */
  async function messages(): Promise<void> {
    const unread = knowledge.unread;
    const senders = new Set(unread.map(({ from }) => from));
    const [first] = unread;
    await commands.executeCommand("deconflict.messages.focus");
    if (first !== undefined && senders.size === 1) {
      await openMessage(new MessageNode(first));
    }
  }

  function newest(): Message | undefined {
    return knowledge.unread.at(-1) ?? knowledge.messages.at(-1);
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
