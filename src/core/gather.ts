interface Turn<Item, Reply> {
  readonly items: Item[];
  readonly replies: Promise<readonly Reply[]>;
}

/**
 * Makes one call of `work` of what one turn of the event loop asks for, at most `itemsMax` items a
 * call. `work` answers a list, a reply for each item in turn, and is called after all of its items
 * came in, so no reply is older than its question. A call that fails rejects its own items alone.
 */
export function gather<Item, Reply>(
  work: (items: readonly Item[]) => Promise<readonly Reply[]>,
  itemsMax = 200,
): (item: Item) => Promise<Reply> {
  let turn: Turn<Item, Reply> | undefined;

  function begin(): Turn<Item, Reply> {
    const items: Item[] = [];
    const replies = new Promise<void>((resolve) => setImmediate(resolve)).then(() => {
      if (turn === begun) turn = undefined;
      return work(items);
    });
    const begun = { items, replies };
    return begun;
  }

  return async (item) => {
    turn ??= begin();
    const { items, replies } = turn;
    const index = items.push(item) - 1;
    if (items.length >= itemsMax) turn = undefined; // the next item begins another call
    return (await replies)[index] as Reply;
  };
}
