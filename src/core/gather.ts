interface Turn<Item, Reply> {
  readonly items: Item[];
  readonly replies: Promise<readonly Reply[]>;
}

/**
 * Batches the calls of one turn of the event loop into one call of `work`, with at most `itemsMax`
 * items. `work` returns a reply for each item, in order. It is called after its last item arrived,
 * so no reply is older than its request. A failed call rejects only its own items.
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
