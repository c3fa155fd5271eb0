interface Turn<Item, Reply> {
  readonly items: Item[];
  readonly replies: Promise<readonly Reply[]>;
}

/**
 * Turns what one turn of the event loop asks for into one call of `work`, of at most `itemsMax` items.
 * `work` returns a reply for each item, in their order. It is called after its last item came in, so
 * no reply is older than its question. A call that fails rejects its own items only.
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
