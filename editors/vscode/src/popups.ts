import type { Disposable } from "./disposable";

/** What comes within so many milliseconds is told as one. */
const GATHERING = 2_000;

/** How much a notice matters: of several at once the most urgent one is shown, with its buttons. */
export enum Urgency {
  Fact,
  Contender,
  Message,
  Deed,
  Warning,
  Loss,
}

/** A notice that is about to be shown. */
export interface Popup {
  readonly text: string;
  readonly urgency: Urgency;
  /** Shows it with this text, which may tell of more, and does what the user chooses. */
  readonly show: (text: string) => Promise<void>;
}

/**
 * Waits a moment for what else comes, and shows all of it as one notice: what several causes have to say stands in its
 * text. Whatever a file needs stays on its first line, and messages stay in their list.
 */
export class Popups implements Disposable {
  private readonly sources: (() => readonly Popup[])[] = [];
  private timer: NodeJS.Timeout | undefined;

  /** Something that notices are about. The answer takes one, and all that came are made to notices together. */
  source<T>(popupsOf: (all: readonly T[]) => readonly Popup[]): (one: T) => void {
    let gathered: T[] = [];
    this.sources.push(() => {
      const all = gathered;
      gathered = [];
      return popupsOf(all);
    });
    return (one) => {
      gathered.push(one);
      this.timer ??= setTimeout(() => {
        this.timer = undefined;
        this.show();
      }, GATHERING);
    };
  }

  dispose(): void {
    clearTimeout(this.timer);
  }

  private show(): void {
    const popups = this.sources.flatMap((take) => take());
    // Of equals, the first stays first.
    const [first, ...more] = popups.sort((one, other) => other.urgency - one.urgency);
    if (first !== undefined) {
      void first.show([first, ...more].map(({ text }) => text).join(" "));
    }
  }
}
