"""Prompts that read like a teacher's and a student's own words, put together from small lists."""

from random import Random

TOPICS = {
    "history": ("the causes of the First World War", "the Silk Road", "women in the Renaissance", "the Berlin Wall"),
    "biology": ("photosynthesis", "the human heart", "natural selection", "an ecosystem near our school"),
    "english": ("a poem by Emily Dickinson", "Macbeth's ambition", "a book that changed me", "unreliable narrators"),
    "geography": ("river deltas", "why cities grow", "plate tectonics", "drought in the Sahel"),
    "physics": ("a pendulum experiment", "energy in a roller coaster", "why the sky is blue", "Ohm's law"),
    "economics": ("supply and demand at the school canteen", "inflation", "free trade", "a family budget"),
}
SUBJECTS = tuple(TOPICS)

FIRST_NAMES = (
    "Mia", "Noah", "Aisha", "Liam", "Sofia", "Jonas", "Yuki", "Elena", "Mateo", "Ines",
    "Omar", "Clara", "Daniel", "Priya", "Lucas", "Zoe", "Adam", "Nora", "Viktor", "Leila",
)  # fmt: skip
LAST_NAMES = (
    "Keller", "Okafor", "Rossi", "Nguyen", "Silva", "Haddad", "Lindqvist", "Moreau", "Tanaka", "Novak",
    "Fischer", "Garcia", "Walsh", "Petrov", "Mensah", "Iyer", "Dubois",
)  # fmt: skip

CRITERIA = ("thesis and focus", "use of sources", "structure", "reasoning", "language and tone", "accuracy")
OPENINGS = (
    "When I first heard about this topic I thought it had nothing to do with me.",
    "My grandmother told me a story about this that I never forgot.",
    "In this paper I will explain what we learned in class and what I think about it.",
    "Most people believe the answer is simple, but it is not.",
)
SENTENCES = (
    "Our group measured it three times and wrote the average in the table.",
    "The source we read on page 42 says something different from the textbook.",
    "I asked my brother, who works at the hospital, and he explained it in his own words.",
    "This shows that a small change can have a very large effect later.",
    "On the other hand, there are good reasons to doubt this explanation.",
    "For example, in our town the factory closed and many families moved away.",
    "I could not find a second source, so I am not completely sure about this part.",
    "The graph rises quickly at first and then becomes almost flat.",
    "Because of that, people at the time had no real choice.",
    "Last summer I saw this myself when we visited my cousins by the sea.",
    "The author repeats this word four times, which cannot be an accident.",
    "If we had more time, we would have tried it again with a heavier weight.",
    "Some historians disagree, and they point to letters from that year.",
    "At first I made a mistake in the calculation, but then I found it.",
    "It is important to remember that the data is from only one school.",
    "My partner was ill that week, so I did the second half of the experiment alone.",
)
CLOSINGS = (
    "In conclusion, I think there is more than one right answer.",
    "That is why I would change my opinion from the beginning of the year.",
    "I worked on this for two evenings and I am proud of the ending.",
)
FEEDBACK = (
    "Clear thesis; support the second paragraph with a source. 17/20",
    "Careful measurements. Explain the outlier in the table. 15/20",
    "Vivid examples, but the conclusion repeats the introduction. 14/20",
    "Strong reasoning throughout; watch the paragraph breaks. 18/20",
)


def student_name(submission_id: int) -> str:
    """First and last name of whoever handed in this submission."""
    return f"{FIRST_NAMES[submission_id % len(FIRST_NAMES)]} {LAST_NAMES[submission_id % len(LAST_NAMES)]}"


def rubric_request(subject: str, topic: str, points: int) -> str:
    """What a teacher asks for when a rubric is generated; one assignment's requests are all alike."""
    return (
        f"You help a teacher of {subject}. Write a grading rubric for an assignment about {topic}. "
        f"It is worth {points} points. Use four levels for each criterion and cover: {', '.join(CRITERIA)}. "
        "Describe every level in two sentences a student understands, and give the points of each. "
        "Answer as a table, and end with one sentence of advice for the student."
    )


def grading_instructions(subject: str, topic: str, points: int) -> str:
    """The prefix all submissions of one assignment share: instructions and rubric, before the student's own text."""
    levels = "\n".join(
        f"- {criterion}: {points // len(CRITERIA)} points; full marks where it is convincing, half where it is partial"
        for criterion in CRITERIA
    )
    return (
        f"You grade student work in {subject} as a fair and encouraging teacher. The assignment is about {topic}.\n"
        f"Rubric ({points} points):\n{levels}\n"
        "Give points per criterion, quote the sentence you rely on, and end with one next step.\n\n"
    )


def student_text(submission_id: int) -> str:
    """One student's paper, the same whenever it is graded: name, address and 5 to 14 sentences."""
    random = Random(submission_id)  # noqa: S311  (a play, not a secret)
    student = student_name(submission_id)
    address = student.lower().replace(" ", ".")
    sentences = " ".join(random.choices(SENTENCES, k=random.randint(3, 12)))
    return (
        f"Student: {student} <{address}@students.example>\n"
        f"{random.choice(OPENINGS)} {sentences} {random.choice(CLOSINGS)}"
    )
